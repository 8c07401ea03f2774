import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, toHex } from '../format/blob-id.ts';
import { parseTree } from '../format/parse-tree.ts';
import { packNode, type TreeNode } from '../format/tree-node.ts';
import { plainBytesOf, plainPart } from '../tree-part.ts';
import { ParentTree } from './parent-tree.ts';
import { type KnownTree, TreeBuilder } from './tree-builder.ts';

function node(name: Buffer, fields: Partial<TreeNode>): TreeNode {
  return {
    name,
    type: 'file',
    mode: 0o644,
    mtimeNs: 1n,
    atimeNs: 1n,
    ctimeNs: 1n,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    size: 0n,
    links: 0,
    linkTarget: null,
    xattrs: null,
    device: 0,
    content: null,
    subtree: null,
    ...fields,
  };
}

/** A builder over a map of trees, with helpers that name folders by their mode. */
function createBuild(known: ReadonlyMap<string, KnownTree> = new Map()) {
  const trees = new Map<string, Buffer>();
  const kept: string[] = [];
  const builder = new TreeBuilder({
    store(parts) {
      const tree = Buffer.concat(parts.map(plainBytesOf));
      const id = hashOf(tree);
      trees.set(toHex(id), tree);
      return id;
    },
    known: (path) => known.get(path) ?? null,
    onKept: (_id, path) => kept.push(path),
    packUnknown: (name, subtree) => packNode(node(name, { type: 'dir', mode: 0o700, subtree })),
  });
  const folder = (mode: number) => (name: Buffer, subtree: Uint8Array) =>
    packNode(node(name, { type: 'dir', mode, subtree }));
  const nameOf = (path: string) => Buffer.from(path.slice(path.lastIndexOf('/') + 1), 'latin1');
  const list = (id: Uint8Array, prefix = ''): string[] => {
    const nodes = parseTree(trees.get(toHex(id)) ?? Buffer.alloc(0));
    const names = nodes.map((item) => item.name.toString('latin1'));
    expect(names).toEqual([...new Set(names)].sort());
    return nodes.flatMap((item) => {
      const path = `${prefix}/${item.name.toString('latin1')}`;
      return item.subtree ? [`${path}/ ${item.mode.toString(8)}`, ...list(item.subtree, path)] : [path];
    });
  };
  return {
    builder,
    kept,
    trees,
    ancestor: (path: string, mode: number) => builder.addAncestor(path, folder(mode)),
    folder: (path: string, mode = 0o755) => builder.addFolder(path, folder(mode)),
    file: (path: string) => builder.addItem(path, packNode(node(nameOf(path), { content: [] }))),
    finish: () => list(builder.finish()),
  };
}

describe('TreeBuilder', () => {
  it('keeps whole paths with the metadata of the folders above the roots', () => {
    const build = createBuild();
    build.ancestor('/srv', 0o711);
    build.ancestor('/srv/www', 0o750);
    build.ancestor('/home', 0o755);
    build.file('/home/note');
    build.folder('/srv/www/a', 0o700);
    build.file('/srv/www/a/1');
    build.folder('/srv/www/a/b', 0o701);
    build.file('/srv/www/a/c');
    build.file('/srv/www/z');
    expect(build.finish()).toEqual([
      '/home/ 755',
      '/home/note',
      '/srv/ 711',
      '/srv/www/ 750',
      '/srv/www/a/ 700',
      '/srv/www/a/1',
      '/srv/www/a/b/ 701',
      '/srv/www/a/c',
      '/srv/www/z',
    ]);
  });

  it('takes a root inside another one that is walked after it', () => {
    const build = createBuild();
    for (const [path, mode] of [
      ['/a', 0o711],
      ['/a/b', 0o712],
    ] as const)
      build.ancestor(path, mode);
    build.folder('/a', 0o721);
    build.folder('/a/b', 0o722);
    build.file('/a/b/1');
    build.file('/a/z');
    build.folder('/a/b/c', 0o723);
    build.file('/a/b/c/2');
    expect(build.finish()).toEqual(['/a/ 721', '/a/b/ 722', '/a/b/1', '/a/b/c/ 723', '/a/b/c/2', '/a/z']);
  });

  it('gives a folder that nobody listed a node of its own, and leaves out empty folders above roots', () => {
    const build = createBuild();
    build.ancestor('/gone', 0o755);
    build.file('/x/y/1');
    build.file('/x/2');
    build.file('/x/y/3');
    expect(build.finish()).toEqual(['/x/ 700', '/x/2', '/x/y/ 700', '/x/y/1', '/x/y/3']);
  });

  it('keeps the known tree of a folder whose items are those of it, and no other', () => {
    const items = (build: ReturnType<typeof createBuild>, names: readonly string[]) => {
      build.folder('/a');
      for (const name of names) build.file(`/a/${name}`);
      build.folder('/a/c');
      build.file('/a/c/1');
      return build.finish();
    };
    const first = createBuild();
    items(first, ['1', '2']);
    const tree = [...first.trees].find(([, bytes]) => bytes.includes('"2"'));
    if (!tree) throw new Error('there is no tree of /a');
    const known = { text: tree[1].toString(), id: Buffer.from(tree[0], 'hex') };
    const kept = (names: readonly string[], text = known.text) => {
      const build = createBuild(
        new Map([['/a', { id: known.id, nodes: new ParentTree([plainPart(Buffer.from(text))]) }]]),
      );
      if (text === known.text) expect(build.kept).toEqual([]);
      build.folder('/a');
      for (const name of names) build.file(`/a/${name}`);
      build.folder('/a/c');
      build.file('/a/c/1');
      build.builder.finish();
      return build.kept;
    };
    expect(kept(['1', '2'])).toEqual(['/a']);
    for (const names of [['1'], ['2'], ['1', '2', '3'], ['2', '1'], ['1', '1', '2'], []])
      expect(kept(names)).toEqual([]);
    expect(kept(['1', '2'], known.text.replace(']}\n', ']}'))).toEqual([]);
    expect(kept(['1', '2'], known.text.replace(']}\n', '],"a":1}\n'))).toEqual([]);
    expect(kept([], '{"nodes":[]}\n')).toEqual([]);
  });

  it('sorts by bytes, whatever the order of the roots', () => {
    const build = createBuild();
    build.file('/a-b');
    build.folder('/a');
    build.file('/\u00e9');
    build.file('/Z');
    expect(build.finish()).toEqual(['/Z', '/a/ 755', '/a-b', '/\u00e9']);
  });

  it('takes the root itself as source', () => {
    const build = createBuild();
    build.folder('/');
    build.folder('/etc');
    build.file('/etc/passwd');
    expect(build.finish()).toEqual(['/etc/ 755', '/etc/passwd']);
  });

  it('holds exactly what was walked', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'a-', 'a0', '\u00ff', '!'), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(names, { maxLength: 20 }), (paths) => {
        const files = new Set(paths.map((parts) => `/${parts.join('/')}/file`));
        const folders = new Set(
          [...files].flatMap((file) =>
            file
              .split('/')
              .slice(1, -1)
              .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
          ),
        );
        // A walk: depth first, names in byte order.
        const key = (path: string) =>
          path
            .split('/')
            .map((part) => `${part}\u0000`)
            .join('');
        const items = [...files, ...folders].sort((a, b) => (key(a) < key(b) ? -1 : 1));
        const build = createBuild();
        for (const item of items) (files.has(item) ? build.file : build.folder)(item);
        expect(build.finish()).toEqual(items.map((item) => (files.has(item) ? item : `${item}/ 755`)));
      }),
    );
  });
});
