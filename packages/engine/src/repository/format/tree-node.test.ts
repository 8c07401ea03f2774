import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESTIC_NODES } from './restic-samples.ts';
import { packNode, packTree, parseTree, type TreeNode } from './tree-node.ts';

const plain: TreeNode = {
  name: Buffer.from('a.txt'),
  type: 'file',
  mode: 0o644,
  mtimeNs: 0n,
  atimeNs: 0n,
  ctimeNs: 0n,
  ...{ uid: 0, gid: 0, user: '', group: '', inode: 0n, deviceId: 0n, size: 0, links: 0 },
  ...{ linkTarget: null, xattrs: null, device: 0, content: [], subtree: null },
};
const EPOCH = '1970-01-01T00:00:00Z';

const bytes = (maxLength: number, minLength = 0) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
/** Invalid UTF-8, and text with everything that Go escapes. */
const rawText = fc.oneof(
  bytes(12, 1),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((text) => Buffer.from(text)),
  fc
    .array(
      fc.constantFrom('"', '\\', '<', '>', '&', '\u2028', '\u2029', '\b', '\f', '\n', '\u007f', '\u00a0', 'é', 'x'),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    .map((parts) => Buffer.from(parts.join(''))),
);
const name = rawText.filter((raw) => !/^\.\.?$|[/\0]/.test(raw.toString('latin1')));
const text = fc.string({ unit: 'grapheme', maxLength: 10 });
const ns = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array));
const node: fc.Arbitrary<TreeNode> = fc
  .record({
    name,
    type: fc.constantFrom('file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket', 'irregular'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    ...{ mtimeNs: ns, atimeNs: ns, ctimeNs: ns, inode: u64, deviceId: u64 },
    ...{ uid: fc.nat(2 ** 32 - 1), gid: fc.nat(2 ** 32 - 1), user: text, group: text },
    size: fc.maxSafeNat(),
    links: fc.nat(70_000),
    linkTarget: fc.option(rawText),
    xattrs: fc.option(fc.dictionary(text, bytes(10), { minKeys: 1 }).map((all) => new Map(Object.entries(all)))),
    device: fc.oneof(
      fc.nat(),
      u64.filter((value) => value > 2n ** 53n),
    ),
    content: fc.array(id, { maxLength: 3 }),
    subtree: fc.option(id),
    error: text,
  })
  .map(({ error, ...rest }) => ({
    ...rest,
    content: rest.type === 'file' ? rest.content : null,
    ...(error === '' ? {} : { error }),
  }));

/** The device as the same kind of number, whatever its size. */
const comparable = (item: TreeNode) => ({ ...item, device: BigInt(item.device) });

describe('tree nodes', () => {
  it('are byte for byte what restic writes', () => {
    const blob = Buffer.from(`{"nodes":[${RESTIC_NODES.join(',')}]}\n`);
    const nodes = parseTree(blob);
    expect(nodes).toHaveLength(RESTIC_NODES.length);
    expect(nodes.map(packNode)).toEqual(RESTIC_NODES);
    expect(packTree(nodes.map(packNode)).equals(blob)).toBe(true);
    const names = nodes.map((item) => item.name);
    expect([...names].sort(Buffer.compare)).toEqual(names);
  });

  it('go through their JSON whatever they hold', () => {
    const property = fc.property(fc.array(node, { maxLength: 5 }), (nodes) => {
      const blob = packTree(nodes.map(packNode));
      expect(parseTree(blob).map(comparable)).toEqual(nodes.map(comparable));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it('are JSON that any reader understands', () => {
    const property = fc.property(node, (item) => {
      const json = JSON.parse(packNode(item));
      expect(json.type).toBe(item.type);
      expect(json.user ?? '').toBe(item.user);
      // What is no UTF-8 must not reach a reader of JSON.
      expect(packNode(item).isWellFormed()).toBe(true);
    });
    fc.assert(property);
  });

  it.each([
    [
      'an empty file',
      plain,
      `"mode":420,"mtime":"${EPOCH}","atime":"${EPOCH}","ctime":"${EPOCH}","uid":0,"gid":0,"content":[]}`,
    ],
    ['a file without permissions', { ...plain, mode: 0 }, `"type":"file","mtime"`],
    ['a folder', { ...plain, type: 'dir', content: null, mode: 0o3755 }, '"mode":2152727021,'],
    ['a socket', { ...plain, type: 'socket', content: null }, '"mode":16777636,'],
    [
      'a large file',
      { ...plain, size: 2 ** 40, inode: 2n ** 63n + 1n },
      '"inode":9223372036854775809,"size":1099511627776,"content"',
    ],
    ['a broken item', { ...plain, error: 'no <rights>' }, ',"content":[],"error":"no \\u003crights\\u003e"}'],
    [
      'a link to nowhere',
      { ...plain, type: 'symlink', linkTarget: Buffer.of(0xff) },
      '"linktarget":"\\ufffd","linktarget_raw":"/w=="',
    ],
    ['odd owners', { ...plain, user: 'a\\b', group: 'c&d' }, '"user":"a\\\\b","group":"c\\u0026d"'],
  ] as const)('write %s', (_, item, part) => {
    expect(packNode(item as TreeNode)).toContain(part);
  });

  it('keep what restic notes on Windows', () => {
    const attributes = { 'windows.file_attributes': 32, 'windows.creation_time': 'AQ==', x: { a: [null, true, '<'] } };
    const json = packNode({ ...plain, genericAttributes: attributes });
    expect(json).toContain(
      '"generic_attributes":{"windows.creation_time":"AQ==","windows.file_attributes":32,"x":{"a":[null,true,"\\u003c"]}}',
    );
    expect(parseTree(packTree([json]))[0]?.genericAttributes).toEqual(attributes);
  });

  it('of the same owner after another one keep their own', () => {
    const owners = ['a', 'b', 'a', ''].map((user) => packNode({ ...plain, user }));
    expect(owners.map((json) => /"user":"(.)"/.exec(json)?.[1])).toEqual(['a', 'b', 'a', undefined]);
  });
});

describe('parseTree', () => {
  it('takes an empty tree, white space, unknown fields and other field orders', () => {
    expect(packTree([]).toString()).toBe('{"nodes":[]}\n');
    expect(parseTree(packTree([]))).toEqual([]);
    expect(parseTree(Buffer.from('{"nodes":null}'))).toEqual([]);
    const odd = `{ "new": 1, "nodes": [ {"content": null, "type": "dir", "future": {"a": 1},
      "name": "x", "mtime": "2026-01-01T01:00:00+01:00", "mode": 2147484141} ] }`;
    const [dir] = parseTree(Buffer.from(odd));
    expect(dir).toMatchObject({ type: 'dir', mode: 0o755, mtimeNs: 1_767_225_600_000_000_000n, content: null });
    expect(dir?.name.toString()).toBe('x');
  });

  it('keeps numbers above 2^53 exact, but leaves texts alone that look like them', () => {
    const tricky = { ...plain, name: Buffer.from('","inode":12345678901234567890,"'), inode: 2n ** 64n - 1n };
    const [read] = parseTree(packTree([packNode(tricky)]));
    expect(read).toEqual(tricky);
  });

  it('makes large trees whole', () => {
    const nodes = Array.from({ length: 25_001 }, (_, index) => packNode({ ...plain, name: Buffer.from(`f${index}`) }));
    expect(parseTree(packTree(nodes))).toHaveLength(25_001);
    expect(packTree(nodes).toString()).toBe(`{"nodes":[${nodes.join(',')}]}\n`);
  });

  it.each([
    'x',
    '[]',
    '{}',
    '{"nodes":[{"name":"a"',
    '{"nodes":[{"type":"file"}]}',
    '{"nodes":[{"name":"a","type":"file","mtime":"today"}]}',
    '{"nodes":[{"name":"a","type":"file","content":["ab"]}]}',
    '{"nodes":[{"name":"a","type":"dir","subtree":"xyz"}]}',
    ...['', '.', '..', 'a/b', '../a', 'a\\u0000', '\\\\x2e\\\\x2e', '\\\\x2f', '\\\\q', '\\\\', '\\\\777'].map(
      (bad) => `{"nodes":[{"name":"${bad}","type":"file"}]}`,
    ),
  ])('refuses %s', (json) => {
    expect(() => parseTree(Buffer.from(json))).toThrow(expect.objectContaining({ code: 'REPOSITORY_DAMAGED' }));
  });
});
