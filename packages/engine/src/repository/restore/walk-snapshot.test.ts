import { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import { folder, type TreeShape, TreeStore } from '../browse/tree-fixture.ts';
import { toHex } from '../format/blob-id.ts';
import { createMasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import { packTree } from '../format/tree-node.ts';
import { compressOnce } from '../format/zstd.ts';
import { openLargeTree } from '../large-tree.ts';
import { PathSelection } from './path-selection.ts';
import { TreeSource } from './tree-source.ts';
import { walkSnapshot } from './walk-snapshot.ts';

const sample: TreeShape = {
  srv: folder({
    www: folder({ 'b.txt': 'b', a: folder({ deep: folder({ x: 'x' }) }), 'z.txt': 'z' }),
    other: folder({ y: 'y' }),
  }),
  etc: folder({ hosts: 'h' }),
};

/** What is met: folders with a slash at their end. */
async function walk(shape: TreeShape, paths: string[], wanted: string[] | null, lost: Set<string> = new Set()) {
  const store = new TreeStore();
  const tree = toHex(store.add(shape));
  const box = createSealedBox(createMasterKey());
  const reader = {
    find: (id: Uint8Array) => store.find(id),
    sizeOf: (id: Uint8Array) => store.blobs.get(toHex(id))?.byteLength ?? 0,
    async openLargeTree(id: Uint8Array) {
      const json = await reader.read(id);
      return await openLargeTree({ id, sealed: box.seal(compressOnce(json)), plainLength: json.byteLength }, box);
    },
    async read(id: Uint8Array) {
      store.reads.push(toHex(id));
      const json = store.blobs.get(toHex(id));
      if (!json || lost.has(toHex(id))) throw new AppError('REPOSITORY_DAMAGED', { reason: 'lost' });
      return Buffer.from(json);
    },
  };
  const selection = wanted && new PathSelection(wanted);
  const found: string[] = [];
  const lostFolders: string[] = [];
  const parts = walkSnapshot({
    trees: new TreeSource(reader),
    snapshot: { tree, paths },
    selection,
    onLostTree: (path) => lostFolders.push(path),
  });
  for await (const { path, folder: node, items } of parts) {
    if (node) found.push(`${path}/`);
    found.push(...items.map(({ name }) => `${path}/${name.toString('latin1')}`));
  }
  return { found, lostFolders, unmet: selection?.unmet.map(String) ?? [], reads: new Set(store.reads).size };
}

it('comes to each folder before its content, files before folders, and passes what lies above the paths', async () => {
  const { found } = await walk(sample, ['/srv/www'], null);
  expect(found).toEqual([
    ...['/etc/', '/etc/hosts', '/srv/other/', '/srv/other/y', '/srv/www/', '/srv/www/b.txt', '/srv/www/z.txt'],
    ...['/srv/www/a/', '/srv/www/a/deep/', '/srv/www/a/deep/x'],
  ]);
  expect((await walk(sample, ['/'], null)).found).toContain('/srv/');
});

it('reads only the trees on the way to what is wanted', async () => {
  const { found, unmet, reads } = await walk(
    sample,
    ['/srv/www', '/etc'],
    ['/srv/www/a/', '/srv/www/z.txt', '/srv/nope', '/etc/host'],
  );
  expect(found).toEqual([
    ...['/etc/', '/srv/www/', '/srv/www/z.txt', '/srv/www/a/', '/srv/www/a/deep/', '/srv/www/a/deep/x'],
  ]);
  expect(unmet).toEqual(['/srv/nope', '/etc/host']);
  expect(reads).toBe(6);
  expect((await walk(sample, ['/etc'], ['/'])).found).toHaveLength(11);
});

it('takes names that are not UTF-8 as they are shown', async () => {
  const shape = { d: folder({ 'bad\xff': 'x', 'caf\xc3\xa9': 'y' }) };
  expect((await walk(shape, ['/d'], ['/d/bad\\xff', '/d/café'])).found).toEqual([
    '/d/',
    '/d/bad\xff',
    '/d/caf\xc3\xa9',
  ]);
});

it('goes on past a folder whose list is lost', async () => {
  const store = new TreeStore();
  const www = toHex(store.add({ 'b.txt': 'b', a: folder({ deep: folder({ x: 'x' }) }), 'z.txt': 'z' }));
  const { found, lostFolders } = await walk(sample, ['/srv/www'], null, new Set([www]));
  expect(lostFolders).toEqual(['/srv/www']);
  expect(found).toEqual(['/etc/', '/etc/hosts', '/srv/other/', '/srv/other/y', '/srv/www/']);
});

it('takes large folders in parts', async () => {
  const names = Array.from(
    { length: 2500 },
    (_, number) => `${'long-name-'.repeat(160)}${String(number).padStart(5, '0')}`,
  );
  const shape = { big: folder(Object.fromEntries(names.map((name) => [name, '']))) };
  const store = new TreeStore();
  store.add(shape);
  expect(Math.max(...[...store.blobs.values()].map((blob) => blob.byteLength))).toBeGreaterThan(4 * 1024 * 1024);
  const { found } = await walk(shape, ['/big'], null);
  expect(found).toEqual(['/big/', ...names.map((name) => `/big/${name}`)]);
});

it('takes an empty tree', async () => {
  expect(packTree([]).toString()).toBe('{"nodes":[]}\n');
  expect((await walk({ empty: folder({}) }, ['/empty'], null)).found).toEqual(['/empty/']);
});
