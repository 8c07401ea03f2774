import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, toHex } from '../format/blob-id.ts';
import { parseTree } from '../format/parse-tree.ts';
import { packNode, type TreeNode } from '../format/tree-node.ts';
import { TreeBuilder } from './tree-builder.ts';

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
function createBuild() {
  const trees = new Map<string, Buffer>();
  const builder = new TreeBuilder({
    store(parts) {
      const tree = Buffer.concat(parts);
      const id = hashOf(tree);
      trees.set(toHex(id), tree);
      return id;
    },
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
