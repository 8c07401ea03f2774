import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packNode, type TreeNode } from '../format/tree-node.ts';
import { type DiffListener, diffTrees, type TreeChange } from './diff-trees.ts';
import { findItem } from './find-item.ts';
import { findItems } from './find-items.ts';
import { parseItemPattern } from './item-pattern.ts';
import { listFolder } from './list-folder.ts';
import { searchSnapshot } from './search-snapshot.ts';
import { itemsBelow } from './snapshot-items.ts';
import { folder, TreeStore, testNode } from './tree-fixture.ts';
import { indexTree } from './tree-index.ts';

const page = { offset: 0, limit: 1000 };
const never = () => false;

const sample = {
  srv: folder({
    www: folder({
      'index.html': 'hello',
      '.env': 'secret',
      'caf\xc3\xa9"\\': 'quoted',
      'bad\xff': 'not UTF-8',
      logs: folder({ 'a.log': 'a', 'B.log': 'b' }),
      link: { type: 'symlink' as const, mode: 0o777, linkTarget: Buffer.from('../x') },
    }),
  }),
  etc: folder({ 'hosts.conf': '1', nginx: folder({ 'site.conf': '2' }) }),
};

test('large trees are read when their turn comes', () => {
  const store = new TreeStore();
  const small = store.add({ a: 'a' });
  const large = store.save(Buffer.alloc(5 * 1024 * 1024, ' '));
  for (const id of [large, small]) store.loader.prefetch(id);
  expect(store.reads).toEqual([Buffer.from(small).toString('hex')]);
});

describe('the index of a tree', () => {
  test('finds every node, also with names and fields that hold quotes, braces and bytes that are not UTF-8', async () => {
    const odd = testNode({
      name: Buffer.from('{"nodes":[{\\"', 'latin1'),
      xattrs: new Map([['user.}]"', Buffer.from('"}]}')]]),
      genericAttributes: { subtree: { '"}': ['{', '\\'] } },
      error: '"subtree":"00"}',
    });
    const names = [Buffer.from('\x01', 'latin1'), Buffer.from('\xff\xfe', 'latin1'), odd.name, Buffer.from('ü<&>')];
    names.sort((a, b) => a.compare(b));
    const nodes = names.map((name) => packNode(name.equals(odd.name) ? odd : testNode({ name })));
    const index = await indexTree(Buffer.from(`{"nodes":[${nodes.join(',')}]}\n`));
    expect(index.count).toBe(4);
    expect(Array.from(names, (_, number) => index.nameOf(number))).toEqual(names);
    expect(Array.from(names, (_, number) => index.jsonOf(number).toString())).toEqual(nodes);
    expect(names.map((name) => index.find(name))).toEqual([0, 1, 2, 3]);
    expect(index.find(Buffer.from('absent'))).toBe(-1);
    expect(index.nodeAt(index.find(odd.name)).error).toBe(odd.error);
  });

  test('reads JSON of other programs, and no tree at all', async () => {
    const id = 'ab'.repeat(32);
    const foreign = `{ "nodes" : [ {"type":"dir", "subtree":"${id}", "name":"a" }, {"name":"b","type":"file","content":[]} ] }`;
    const index = await indexTree(Buffer.from(foreign));
    expect([index.isFolder(0), index.isFolder(1)]).toEqual([true, false]);
    expect(Buffer.from(index.subtreeOf(0)).toString('hex')).toBe(id);
    expect((await indexTree(Buffer.from('{"nodes":null}'))).count).toBe(0);
    expect((await indexTree(Buffer.from('{"nodes":[]}\n'))).count).toBe(0);
    for (const broken of [
      '',
      '{"nodes":[{"name":"a',
      '{"nodes":[{"name":"a","type":"file"},x]}',
      '[]',
      '{"nodes":[{}]',
    ]) {
      await expect(indexTree(Buffer.from(broken))).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    }
  });
});

describe('listing a folder', () => {
  test('reads only the trees on the way; folders come first', async () => {
    const store = new TreeStore();
    const root = store.add(sample);
    const { entries, total } = await listFolder(store.loader, root, { path: '/srv/www/', ...page });
    expect(entries.map((entry) => entry.path)).toEqual([
      '/srv/www/logs',
      '/srv/www/.env',
      '/srv/www/bad\\xff',
      '/srv/www/café"\\',
      '/srv/www/index.html',
      '/srv/www/link',
    ]);
    expect(total).toBe(6);
    expect(store.reads).toHaveLength(3);
    expect(entries.at(-1)).toMatchObject({ type: 'symlink', linkTarget: '../x' });
    expect(entries[1]).toMatchObject({ type: 'file', size: 6, mode: 0o644, modifiedAt: '2023-11-14T22:13:20Z' });
    expect((await listFolder(store.loader, root, { path: '', ...page })).entries.map(({ path }) => path)).toEqual([
      '/etc',
      '/srv',
    ]);
  });

  test('pages meet without gap, a file answers itself, what is not there is named', async () => {
    const store = new TreeStore();
    const root = store.add(sample);
    const all = await listFolder(store.loader, root, { path: '/srv/www', ...page });
    const paged = [];
    for (let offset = 0; offset < 8; offset += 2) {
      const part = await listFolder(store.loader, root, { path: '/srv/www', offset, limit: 2 });
      expect(part.total).toBe(6);
      paged.push(...part.entries);
    }
    expect(paged).toEqual(all.entries);
    const file = await listFolder(store.loader, root, { path: '/srv/www/bad\\xff', ...page });
    expect(file.entries.map((entry) => entry.name)).toEqual(['bad\\xff']);
    for (const path of ['/nope', '/srv/www/index.html/x', '/srv/WWW']) {
      await expect(listFolder(store.loader, root, { path, ...page })).rejects.toMatchObject({
        code: 'PATH_NOT_FOUND',
        params: { path },
      });
    }
  });

  test('entry 900,000 of a million in one folder takes few objects and little time', async () => {
    const store = new TreeStore();
    const packed = packNode(testNode({ name: Buffer.from('f0000000') }));
    const nodes = Array.from({ length: 1_000_000 }, (_, n) => packed.replace('0000000', `${n}`.padStart(7, '0')));
    nodes.push(packNode(testNode({ name: Buffer.from('z'), type: 'dir', subtree: store.add({}) })));
    const large = store.saveTree(nodes);
    const top = testNode({ name: Buffer.from('big'), type: 'dir', subtree: large });
    const root = store.saveTree([packNode(top)]);
    const before = process.memoryUsage().heapUsed;
    const found = await listFolder(store.loader, root, { path: '/big', offset: 900_001, limit: 3 });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
    expect(found.entries.map((entry) => entry.name)).toEqual(['f0900000', 'f0900001', 'f0900002']);
    expect(found.total).toBe(1_000_001);
    const first = await listFolder(store.loader, root, { path: '/big', offset: 0, limit: 2 });
    expect(first.entries.map((entry) => entry.name)).toEqual(['z', 'f0000000']);
  });
});

describe('searching', () => {
  test('a snapshot: any case, any depth, pages, and an end to counting', async () => {
    const store = new TreeStore();
    const root = store.add(sample);
    const { signal } = new AbortController();
    const search = { search: '.LOG', ...page, isTimeUp: never, signal };
    const found = await searchSnapshot(store.loader, root, search);
    expect(found.entries.map((entry) => entry.path)).toEqual(['/srv/www/logs/B.log', '/srv/www/logs/a.log']);
    const second = await searchSnapshot(store.loader, root, { ...search, offset: 1, limit: 1 });
    expect(second).toMatchObject({ total: 2, entries: [{ name: 'a.log' }] });
    const hurried = await searchSnapshot(store.loader, root, { ...search, search: '', limit: 2, isTimeUp: () => true });
    expect(hurried.entries).toHaveLength(2);
    expect(hurried.total).toBeGreaterThan(2);
    const cancelled = { ...search, signal: AbortSignal.abort() };
    await expect(searchSnapshot(store.loader, root, cancelled)).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('all snapshots: a shared tree is read once, versions know their snapshots', async () => {
    const store = new TreeStore();
    const changed = { ...sample, etc: folder({ 'hosts.conf': '1 changed', nginx: folder({ 'site.conf': '2' }) }) };
    const [first, second] = [store.add(sample), store.add(changed)];
    const snapshots = [first, first, second, second, first].map((tree, number) => ({ id: `s${number}`, tree }));
    const options = { snapshots, pattern: parseItemPattern('*.conf'), limit: 100 };
    const { hits, truncated } = await findItems(store.loader, options);
    expect(hits.map((hit) => [hit.path, hit.size, hit.snapshotIds.join(' ')])).toEqual([
      ['/etc/hosts.conf', 1, 's0 s1 s4'],
      ['/etc/hosts.conf', 9, 's2 s3'],
      ['/etc/nginx/site.conf', 1, 's0 s1 s2 s3 s4'],
    ]);
    expect(truncated).toBe(false);
    expect(new Set(store.reads).size).toBe(store.reads.length);
    expect(await findItems(store.loader, { ...options, limit: 2 })).toMatchObject({ truncated: true, hits: [{}, {}] });
  });

  test('thousands of snapshots that share a folder take little memory', async () => {
    const store = new TreeStore();
    const shared = folder({ 'x.conf': '1' });
    const snapshots = Array.from({ length: 6000 }, (_, n) => ({ id: `s${n}`, tree: store.add({ shared, n: `${n}` }) }));
    const before = process.memoryUsage().heapUsed;
    const found = await findItems(store.loader, { snapshots, pattern: parseItemPattern('*.conf'), limit: 10 });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
    expect(found.hits.map(({ snapshotIds }) => snapshotIds.length)).toEqual([6000]);
  });

  test('an item that is none does not hide what is elsewhere', async () => {
    const store = new TreeStore();
    const named = (name: string) => packNode(testNode({ name: Buffer.from(name) }));
    const timeless = {
      type: 'dir' as const,
      subtree: store.saveTree([named('a.conf'), named('b.conf').replace('"mtime":"', '"mtime":"x')]),
    };
    const listless = {
      type: 'dir' as const,
      subtree: store.saveTree([packNode(testNode({ name: Buffer.from('d'), type: 'dir' }))]),
    };
    const tree = store.add({ listless, timeless, z: folder({ 'z.conf': '1' }) });
    const pattern = parseItemPattern('*.conf');
    const { hits, unread } = await findItems(store.loader, { snapshots: [{ id: 's', tree }], pattern, limit: 10 });
    expect(hits.map(({ path }) => path)).toEqual(['/timeless/a.conf', '/z/z.conf']);
    expect(unread.map(({ path }) => path)).toEqual(['/listless', '/timeless']);
  });

  test('the versions of one file: only the folders on its path are entered', async () => {
    const store = new TreeStore();
    const snapshots = [{ id: 's', tree: store.add(sample) }];
    const pattern = parseItemPattern('/srv/www/index.html');
    const { hits } = await findItems(store.loader, { snapshots, pattern, limit: 10 });
    expect(hits).toMatchObject([{ path: '/srv/www/index.html', snapshotIds: ['s'] }]);
    expect(store.reads).toHaveLength(3);
  });

  test.each([
    ['*.conf', 'a.conf', true],
    ['*.conf', 'A.CONF', true],
    ['*.Conf', 'a.conf', false],
    ['.e*', '.env', true],
    ['*', '.env', true],
    ['a[1].txt', 'a[1].txt', true],
    ['!(a)', 'b', false],
    ['{a,b}', 'b', true],
  ])('the name pattern %s on %s', (pattern, name, expected) => {
    expect(parseItemPattern(pattern).matches(name, '/etc')).toBe(expected);
  });

  test.each([
    ['/etc/*.conf', '/etc', 'a.conf', true],
    ['/etc/*.conf', '/etc/x', 'a.conf', false],
    ['/etc/**', '/etc/x/y', 'z', true],
    ['nginx/*.conf', '/etc/nginx', 'a.conf', true],
    ['nginx/*.conf', '/etc/nginx/x', 'a.conf', false],
    ['/srv/a[1]/b', '/srv/a[1]', 'b', true],
    ['/SRV/a', '/srv', 'a', false],
    ['/srv/{a,b/c}/d', '/srv/b/c', 'd', true],
  ])('the path pattern %s on %s/%s', (pattern, folderPath, name, expected) => {
    const parsed = parseItemPattern(pattern);
    expect(parsed.matches(name, folderPath)).toBe(expected);
    const parts = folderPath.split('/');
    const folders = parts.slice(1).map((_, index) => parts.slice(0, index + 2).join('/'));
    if (expected) expect(folders.every((path) => parsed.reaches(path))).toBe(true);
  });
});

const noDamage = ({ message }: { message: string }) => {
  throw new Error(message);
};

async function diff(
  store: TreeStore,
  before: Uint8Array,
  after: Uint8Array,
  onUnread: DiffListener['onUnread'] = noDamage,
): Promise<TreeChange[]> {
  const changes: TreeChange[] = [];
  const onChange = (change: TreeChange) => void changes.push(change);
  await diffTrees(store.loader, { path: '', before, after }, { onChange, onUnread });
  return changes;
}

describe('the difference of two trees', () => {
  test('names every kind of change and skips what is equal', async () => {
    const store = new TreeStore();
    const same = folder({ deep: folder({ x: 'x' }) });
    const before = store.add({
      same,
      gone: folder({ a: 'a' }),
      'file.txt': 'old',
      kind: 'file',
      mode: { mode: 0o600 },
      touched: { ctimeNs: 5n },
    });
    const after = store.add({
      same,
      born: folder({ b: 'bb' }),
      'file.txt': 'young',
      kind: { type: 'symlink', linkTarget: Buffer.from('x') },
      mode: { mode: 0o644 },
      touched: { ctimeNs: 6n },
    });
    const changes = await diff(store, before, after);
    expect(changes).toEqual([
      { path: '/born', change: 'added', sizeBefore: null, sizeAfter: 0 },
      { path: '/file.txt', change: 'content', sizeBefore: 3, sizeAfter: 5 },
      { path: '/gone', change: 'removed', sizeBefore: 0, sizeAfter: null },
      { path: '/kind', change: 'type', sizeBefore: 4, sizeAfter: 0 },
      { path: '/mode', change: 'metadata', sizeBefore: 0, sizeAfter: 0 },
      { path: '/born/b', change: 'added', sizeBefore: null, sizeAfter: 2 },
      { path: '/gone/a', change: 'removed', sizeBefore: 1, sizeAfter: null },
    ]);
    expect(store.reads).toHaveLength(4);
    expect(await diff(store, before, before)).toEqual([]);
  });

  test('goes on where a tree is damaged, and says nothing about what it cannot compare', async () => {
    const store = new TreeStore();
    const damaged = (text: string): Partial<TreeNode> => ({
      ...{ type: 'dir', mode: 0o755, links: 0 },
      subtree: store.save(Buffer.from(text)),
    });
    const before = store.add({ a: damaged('1'), b: folder({ x: 'x' }), c: damaged('2'), gone: damaged('3'), z: '1' });
    const after = store.add({ a: folder({ y: 'y' }), b: damaged('4'), c: damaged('5'), new: damaged('6'), z: '22' });
    const unread: string[] = [];
    const changes = await diff(store, before, after, ({ path, sides, message }) => {
      unread.push(`${path} ${sides}`);
      expect(message).toContain(`${path}: a tree is malformed`);
    });
    expect(changes.map(({ change, path }) => `${change} ${path}`)).toEqual([
      'removed /gone',
      'added /new',
      'content /z',
    ]);
    expect(unread).toEqual(['/a before', '/b after', '/c before', '/c after', '/gone before', '/new after']);
  });

  test('goes on after an item that is none', async () => {
    const store = new TreeStore();
    const odd = packNode(testNode({ name: Buffer.from('b') })).replace('"b"', '"b/../c"');
    const folderOf = (text: string, nodes: string[]) => {
      const subtree = store.saveTree([packNode(testNode({ name: Buffer.from('a'), size: text.length })), ...nodes]);
      return { type: 'dir' as const, subtree };
    };
    const before = store.add({ x: folderOf('1', [odd]), y: '1' });
    const after = store.add({ x: folderOf('22', []), y: '22', z: folder({ f: '1' }) });
    const unread: string[] = [];
    const changes = await diff(store, before, after, ({ path, sides }) => void unread.push(`${path} ${sides}`));
    expect(changes.map(({ path }) => path)).toEqual(['/y', '/z', '/z/f']);
    expect(unread).toEqual(['/x before,after']);
  });

  test('agrees with comparing two lists of files', async () => {
    const names = fc.constantFrom('a', 'b', 'ab', 'B', '.x', 'a b', 'é');
    const { tree } = fc.letrec<{ tree: Record<string, unknown>; item: unknown }>((tie) => ({
      item: fc.oneof({ depthSize: 'small' }, fc.constantFrom('1', '22', '333'), tie('tree')),
      tree: fc.dictionary(names, tie('item'), { maxKeys: 4 }),
    }));
    await fc.assert(
      fc.asyncProperty(tree, tree, async (left, right) => {
        const store = new TreeStore();
        const [before, after] = [store.add(toShape(left)), store.add(toShape(right))];
        const [old, young] = [flatten(left), flatten(right)];
        const expected = [...new Set([...old.keys(), ...young.keys()])].flatMap((path) => {
          const kind = expectedKind(old.get(path), young.get(path));
          return kind ? [`${kind} ${path}`] : [];
        });
        const found = (await diff(store, before, after)).map(({ change, path }) => `${change} ${path}`);
        expect(found.sort()).toEqual(expected.sort());
      }),
    );
  });
});

function toShape(tree: Record<string, unknown>): Record<string, string | ReturnType<typeof folder>> {
  return Object.fromEntries(
    Object.entries(tree).map(([name, item]) => [
      Buffer.from(name).toString('latin1'),
      typeof item === 'string' ? item : folder(toShape(item as Record<string, unknown>)),
    ]),
  );
}

/** Content of files by path, null for folders. */
function flatten(tree: Record<string, unknown>, at = ''): Map<string, string | null> {
  return new Map(
    Object.entries(tree).flatMap(([name, item]): [string, string | null][] => {
      const path = `${at}/${name}`;
      return typeof item === 'string'
        ? [[path, item]]
        : [[path, null], ...flatten(item as Record<string, unknown>, path)];
    }),
  );
}

function expectedKind(before: string | null | undefined, after: string | null | undefined): string | null {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  if ((before === null) !== (after === null)) return 'type';
  return before === after ? null : 'content';
}

test('everything below a folder comes after it', async () => {
  const store = new TreeStore();
  const root = store.add(sample);
  const paths = [];
  for await (const { path } of itemsBelow(store.loader, await findItem(store.loader, root, '/etc'))) paths.push(path);
  expect(paths).toEqual(['/etc', '/etc/hosts.conf', '/etc/nginx', '/etc/nginx/site.conf']);
  const file = await findItem(store.loader, root, '/etc/hosts.conf');
  for await (const { path } of itemsBelow(store.loader, file)) expect(path).toBe('/etc/hosts.conf');
});

test("trees that were read ahead and not asked for are given up, and stand in nobody's way", async () => {
  const store = new TreeStore();
  const ids = Array.from({ length: 20 }, (_, number) => store.add({ [`f${number}`]: 'x' }));
  for (const id of ids) store.loader.prefetch(id);
  const ahead = store.reads.length;
  store.loader.forget();
  for (const id of ids.slice(ahead)) store.loader.prefetch(id);
  expect(store.reads.length).toBe(2 * ahead);
});
