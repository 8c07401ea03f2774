/** Folders so large that their trees are read in pieces. */
import { beforeAll, describe, expect, test } from 'vitest';
import { toHex } from '../format/blob-id.ts';
import { packNode } from '../format/tree-node.ts';
import { LARGE_TREE_BYTES } from '../large-tree.ts';
import { diffTrees } from './diff-trees.ts';
import { findItem } from './find-item.ts';
import { findItems } from './find-items.ts';
import { parseItemPattern } from './item-pattern.ts';
import { searchSnapshot } from './search-snapshot.ts';
import { itemsBelow } from './snapshot-items.ts';
import { TreeStore, testNode } from './tree-fixture.ts';

const COUNT = 20_000;
const EVERY = 5000;

/** Node of number `n`; each 5000th is a folder with one file in it. */
type NodeText = (n: number) => string | null;

const nameOf = (n: number) => `n${String(n).padStart(6, '0')}`;
const isFolder = (n: number) => n % EVERY === EVERY - 1;

let store: TreeStore;
let large: Uint8Array;
let root: Uint8Array;

function node(n: number, size = 1): string {
  const name = Buffer.from(nameOf(n));
  if (!isFolder(n)) return packNode(testNode({ name, size, content: [Buffer.alloc(32, size)] }));
  return packNode(testNode({ name, type: 'dir', subtree: store.add({ [`in-${n}`]: 'x' }) }));
}

const other = () => packNode(testNode({ name: Buffer.from('other'), type: 'dir', subtree: store.add({ z: 'z' }) }));

/** The tree of a folder `big` with so many items, and of what is above it. */
function addLarge(textOf: NodeText, count = COUNT): { large: Uint8Array; root: Uint8Array } {
  const nodes = Array.from({ length: count }, (_, n) => textOf(n)).filter((text) => text !== null);
  const tree = store.saveTree(nodes);
  expect(store.blobs.get(toHex(tree))?.byteLength).toBeGreaterThan(LARGE_TREE_BYTES);
  const big = packNode(testNode({ name: Buffer.from('big'), type: 'dir', subtree: tree }));
  return { large: tree, root: store.saveTree([big, other()]) };
}

beforeAll(() => {
  store = new TreeStore();
  ({ large, root } = addLarge(node));
});

/** Does something, and makes sure that the large trees were read in pieces only. */
async function inPieces<T>(work: () => Promise<T>): Promise<T> {
  store.reads.length = 0;
  store.pieces = 0;
  const result = await work();
  expect(store.reads).not.toContain(toHex(large));
  expect(store.pieces).toBeGreaterThan(0);
  return result;
}

/** Paths below `big` in order, each folder with what is in it behind it. */
const pathsBelow = Array.from({ length: COUNT }, (_, n) => {
  const path = `/big/${nameOf(n)}`;
  return isFolder(n) ? [path, `${path}/in-${n}`] : [path];
}).flat();

describe('a folder of very many items', () => {
  test('is looked into for one of them, no further than needed', async () => {
    const find = (name: string) => inPieces(() => findItem(store.loader, root, `/big/${name}`));
    for (let n = 0; n < COUNT; n += 3999) expect((await find(nameOf(n))).path).toBe(`/big/${nameOf(n)}`);
    expect((await find(nameOf(COUNT - 1))).treeId).not.toBeNull();
    const all = store.pieces;
    await find(nameOf(0));
    expect(store.pieces).toBe(1);
    expect(all).toBeGreaterThan(2);
    for (const name of ['a', `${nameOf(7)}x`, 'z']) await expect(find(name)).rejects.toThrow(name);
    const inside = `${nameOf(EVERY - 1)}/in-${EVERY - 1}`;
    expect((await find(inside)).node?.size).toBe(1);
  });

  test('is listed with everything below it', async () => {
    const paths = await inPieces(async () => {
      const found: string[] = [];
      const top = await findItem(store.loader, root, '');
      for await (const { path } of itemsBelow(store.loader, top)) found.push(path);
      return found;
    });
    expect(paths).toEqual(['/big', ...pathsBelow, '/other', '/other/z']);
    for await (const { path } of itemsBelow(store.loader, await findItem(store.loader, root, ''))) {
      if (path === `/big/${nameOf(EVERY - 1)}/in-${EVERY - 1}`) break;
    }
  });

  test('is searched page by page: its own items first, then those in its folders', async () => {
    const query = { isTimeUp: () => false, signal: new AbortController().signal };
    const search = (text: string, offset: number, limit: number) =>
      inPieces(() => searchSnapshot(store.loader, root, { ...query, search: text, offset, limit }));
    const found = await search('IN-', 0, 100);
    const files = pathsBelow.filter((path) => path.includes('in-'));
    expect(found).toMatchObject({ total: files.length, entries: files.map((path) => ({ path })) });
    const late = await search('n0', COUNT - 2, 2);
    expect(late.entries.map(({ path }) => path)).toEqual([COUNT - 2, COUNT - 1].map((n) => `/big/${nameOf(n)}`));
    expect(late.total).toBe(COUNT);
  });

  test('is searched in many snapshots', async () => {
    const changed = addLarge((n) => node(n, n === 3 || n === COUNT - 2 ? 2 : 1));
    const snapshots = [root, changed.root, root].map((tree, number) => ({ id: `s${number}`, tree }));
    const find = (text: string) =>
      inPieces(() => findItems(store.loader, { snapshots, pattern: parseItemPattern(text), limit: 100 }));
    const versions = async (text: string) =>
      (await find(text)).hits.map(({ path, size, snapshotIds }) => `${path} ${size} ${snapshotIds.join(' ')}`);
    expect(await versions(nameOf(3))).toEqual([`/big/${nameOf(3)} 1 s0 s2`, `/big/${nameOf(3)} 2 s1`]);
    const last = nameOf(COUNT - 2);
    expect(await versions(`/big/${last}`)).toEqual([`/big/${last} 1 s0 s2`, `/big/${last} 2 s1`]);
    expect(await versions('in-*')).toEqual(
      pathsBelow.filter((path) => path.includes('in-')).map((path) => `${path} 1 s0 s1 s2`),
    );
  });
});

describe('the difference of two folders of very many items', () => {
  async function diff(before: Uint8Array, after: Uint8Array) {
    const found: string[] = [];
    await inPieces(() =>
      diffTrees(
        store.loader,
        { path: '', before, after },
        {
          onChange: ({ change, path }) => found.push(`${change} ${path}`),
          onUnread: ({ path, sides, message }) => found.push(`unread ${path} ${sides}: ${message}`),
        },
      ),
    );
    return found;
  }

  test('is found wherever the pieces end', async () => {
    const isGone = (n: number) => n < 2000 || n === 10_000 || n === EVERY - 1;
    const isOther = (n: number) => n === 2001 || n === COUNT - 2;
    const after = addLarge((n) => (isGone(n) ? null : node(n, isOther(n) ? 2 : 1)), COUNT + 6000);
    const numbers = Array.from({ length: COUNT + 6000 }, (_, n) => n);
    const expected = numbers.flatMap((n) => {
      if (n >= COUNT) return [`added /big/${nameOf(n)}`];
      return isGone(n) ? [`removed /big/${nameOf(n)}`] : isOther(n) ? [`content /big/${nameOf(n)}`] : [];
    });
    const below = [EVERY - 1, COUNT + EVERY - 1].map((n) => `/big/${nameOf(n)}/in-${n}`);
    expect(await diff(root, after.root)).toEqual([...expected, `removed ${below[0]}`, `added ${below[1]}`]);
    const back = await diff(after.root, root);
    expect(back).toHaveLength(expected.length + 2);
    expect(back.at(-1)).toBe(`removed ${below[1]}`);
  });

  test('is that of a folder that was not there', async () => {
    const changes = await diff(store.saveTree([other()]), root);
    expect(changes).toHaveLength(pathsBelow.length + 1);
    expect([...changes].sort()).toEqual(['/big', ...pathsBelow].map((path) => `added ${path}`).sort());
  });

  test('goes as far as the items can be read', async () => {
    const broken = addLarge((n) => (n === 5 ? node(n, 2) : n === COUNT - 3 ? '{"name":"x"}' : node(n)));
    const changes = await diff(root, broken.root);
    expect(changes[0]).toBe(`content /big/${nameOf(5)}`);
    expect(changes.slice(1)).toEqual([
      expect.stringMatching(/^unread \/big before,after: .*\/big: a tree is malformed/),
    ]);
  });
});
