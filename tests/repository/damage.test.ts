/** Every kind of damage is found by our check and named, stock restic agrees, and what is said to be whole restores. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CheckRepositoryResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import {
  appendJunk,
  copyFolder,
  cutEnd,
  flipBit,
  namesIn,
  packPath,
  type RepositoryFiles,
  removeFile,
  scatterJunk,
  swapFiles,
  truncateFile,
} from '../support/damage.ts';
import { makeNoise } from '../support/make-tree.ts';
import { useQuickKey } from '../support/quick-key.ts';
import {
  backup,
  check,
  createRunner,
  folderOf,
  initJob,
  password,
  repair,
  repositoryAt,
  restore,
  snapshotIds,
} from '../support/repository.ts';
import { forEachRestic, type Restic, restic, SHORT_ID } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

interface Damage {
  readonly name: string;
  /** Does it; answers the names of the files that the check must name. */
  do(files: RepositoryFiles): readonly string[];
  /** All snapshots still restore: only what could be built anew is broken. */
  readonly isHarmless?: boolean;
}

const first = (names: readonly string[]): string => names[0] ?? '';
const last = (names: readonly string[]): string => names.at(-1) ?? '';
const onPack = (
  kind: 'dataPacks' | 'treePacks',
  damage: (folder: string, file: string, share: number) => void,
  share = 0,
): Damage['do'] => {
  return (files) => {
    const id = last(files[kind]);
    damage(files.folder, packPath(id), share);
    return [id];
  };
};
const onFile = (
  type: 'index' | 'snapshots',
  damage: (folder: string, file: string, share: number) => void,
  share = 0,
): Damage['do'] => {
  return ({ folder }) => {
    const name = first(namesIn(folder, type));
    damage(folder, `${type}/${name}`, share);
    return [name];
  };
};
function swapFirst(type: 'index' | 'snapshots'): Damage['do'] {
  return ({ folder }) => {
    const [a = '', b = ''] = namesIn(folder, type);
    swapFiles(folder, `${type}/${a}`, `${type}/${b}`);
    return [a, b];
  };
}

const packDamages: readonly Damage[] = (['dataPacks', 'treePacks'] as const).flatMap((kind) => {
  const what = kind === 'dataPacks' ? 'data pack' : 'tree pack';
  return [
    { name: `${what}: a bit in the first blob`, do: onPack(kind, flipBit, 0) },
    { name: `${what}: a bit in the middle`, do: onPack(kind, flipBit, 0.5) },
    { name: `${what}: a bit in the length of its header`, do: onPack(kind, flipBit, 1), isHarmless: true },
    { name: `${what}: missing`, do: onPack(kind, removeFile) },
    { name: `${what}: empty`, do: onPack(kind, truncateFile, 0) },
    { name: `${what}: half of it`, do: onPack(kind, truncateFile, 0.5) },
    { name: `${what}: all but its end`, do: onPack(kind, cutEnd), isHarmless: true },
    { name: `${what}: junk after its end`, do: onPack(kind, appendJunk), isHarmless: true },
  ];
});

const damages: readonly Damage[] = [
  ...packDamages,
  {
    name: 'data pack: swapped with another',
    do({ folder, dataPacks }) {
      const [a, b] = [first(dataPacks), last(dataPacks)];
      swapFiles(folder, packPath(a), packPath(b));
      return [a, b];
    },
  },
  {
    name: 'a data pack where a tree pack belongs',
    do({ folder, dataPacks, treePacks }) {
      const [a, b] = [first(dataPacks), last(treePacks)];
      swapFiles(folder, packPath(a), packPath(b));
      return [a, b];
    },
  },
  { name: 'index file: a bit', do: onFile('index', flipBit, 0.5) },
  { name: 'index file: half of it', do: onFile('index', truncateFile, 0.5) },
  { name: 'index file: empty', do: onFile('index', truncateFile, 0) },
  { name: 'index file: swapped with another', do: swapFirst('index') },
  { name: 'snapshot: a bit', do: onFile('snapshots', flipBit, 0.5) },
  { name: 'snapshot: half of it', do: onFile('snapshots', truncateFile, 0.5) },
  { name: 'snapshot: empty', do: onFile('snapshots', truncateFile, 0) },
  { name: 'snapshot: swapped with another', do: swapFirst('snapshots') },
];

/** Packs by what they hold, told by restic; those with noise of one source only come last. */
async function sortPacks(restic: Restic, folder: string): Promise<RepositoryFiles> {
  const view = restic.open(folder, password);
  const kinds = new Map<string, string>();
  for (const name of namesIn(folder, 'index')) {
    const index = JSON.parse(await view.ok(['cat', 'index', name])) as {
      packs: { id: string; blobs: { type: string }[] }[];
    };
    for (const { id, blobs } of index.packs) kinds.set(id, blobs[0]?.type ?? '');
  }
  const of = (kind: string): string[] => [...kinds].flatMap(([id, type]) => (type === kind ? [id] : [])).sort();
  return { folder, dataPacks: of('data'), treePacks: of('tree') };
}

const work = makeWorkFolder('damage', { isInMemory: true });
const runner = createRunner(work.at('temp'));
const whole = repositoryAt(work.at('whole'));
const repository = repositoryAt(work.at('damaged'));
const folder = folderOf(repository);
const sources = new Map<string, string[]>();
let files: RepositoryFiles;
/** The damaged one, opened without a password: that would be most of the time. */
let opened = repository;

beforeAll(async () => {
  const { masterKey } = await runner.run(initJob(whole));
  opened = { ...repository, unlock: { masterKey } };
  await useQuickKey(folderOf(whole), masterKey);
  for (const name of ['a', 'b']) mkdirSync(work.at(name, 'folder'), { recursive: true });
  for (let index = 0; index < 50; index++)
    writeFileSync(work.at('a', 'folder', `text-${index}`), `text ${index} `.repeat(99));
  for (let index = 0; index < 4; index++)
    writeFileSync(work.at('b', 'folder', `noise-${index}`), makeNoise(3e6, index));
  for (const paths of [[work.at('a')], [work.at('b')], [work.at('a'), work.at('b')]])
    sources.set((await backup(runner, whole, paths)).snapshot.snapshotId, paths);
  files = { ...(await sortPacks(restic, folderOf(whole))), folder };
  expect(files.dataPacks.length).toBeGreaterThan(2);
  expect(files.treePacks.length).toBeGreaterThan(1);
}, 120_000);
afterAll(async () => {
  await runner.close();
  work.remove();
});

/** Restores every snapshot; answers those that came back as they were. */
async function restorable(): Promise<string[]> {
  const good: string[] = [];
  for (const [id, paths] of sources) {
    const result = await restore(runner, opened, id, work.at('out')).catch(() => null);
    const isSame = (source: string): boolean => compareTrees(source, path.join(work.at('out'), source)).length === 0;
    if (result?.status === 'success' && paths.every(isSame)) good.push(id);
    rmSync(work.at('out'), { recursive: true, force: true });
  }
  return good;
}

/** What our check said about each kind of damage. */
const found = new Map<string, CheckRepositoryResult>();

async function ourCheck(damage: Damage): Promise<CheckRepositoryResult> {
  const result = found.get(damage.name) ?? (await check(runner, opened));
  found.set(damage.name, result);
  return result;
}

/** Packs, index files and snapshots that a text names, if only by the beginning of a name. */
function namedIn(text: string): string[] {
  const packs = [...files.dataPacks, ...files.treePacks];
  const all = [...packs, ...namesIn(folderOf(whole), 'index'), ...namesIn(folderOf(whole), 'snapshots')];
  return all.filter((name) => text.includes(name.slice(0, SHORT_ID)));
}

describe('our check finds every kind of damage, names it, and says what still restores', () => {
  it.each(damages)('$name', async (damage) => {
    copyFolder(folderOf(whole), folder);
    const names = damage.do(files);
    const result = await ourCheck(damage);
    expect(result.status).toBe('damaged');
    const errors = result.problems.filter(({ level }) => level === 'error');
    for (const name of names) expect(errors.map(({ object }) => object).join(' ')).toContain(name);
    for (const { message } of errors) expect(message).toMatch(/\w+ \w+/);
    const good = await restorable();
    expect(result.intactSnapshotIds.toSorted()).toEqual(good.toSorted());
    if (damage.isHarmless) expect(good).toHaveLength(sources.size);
  });

  it('names files and snapshots that are lost with a pack', async () => {
    copyFolder(folderOf(whole), folder);
    for (const id of files.dataPacks) removeFile(folder, packPath(id));
    const { problems, intactSnapshotIds } = await check(runner, repository, 'structure');
    expect(intactSnapshotIds).toEqual([]);
    expect(problems.flatMap((problem) => problem.paths).join(' ')).toContain(work.at('b', 'folder', 'noise-0'));
    expect(problems.flatMap((problem) => problem.snapshotIds)).toEqual(expect.arrayContaining([...sources.keys()]));
  });

  it.each([
    ['a bit', (file: string) => flipBit(folder, file, 0.5)],
    ['half of it', (file: string) => truncateFile(folder, file, 0.5)],
    ['empty', (file: string) => truncateFile(folder, file, 0)],
  ])('config: %s', async (_name, damage) => {
    copyFolder(folderOf(whole), folder);
    damage('config');
    const result = await check(runner, repository);
    expect(result.problems).toEqual([expect.objectContaining({ object: 'config', level: 'error' })]);
    await expect(snapshotIds(runner, repository)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    await restic.open(folder, password).mustComplain();
  });

  it('a key: named, and a second one still opens everything', async () => {
    copyFolder(folderOf(whole), folder);
    writeFileSync(work.at('second'), 'second');
    const damagedKey = first(namesIn(folder, 'keys'));
    await restic.open(folder, password).ok(['key', 'add', '--new-password-file', work.at('second')]);
    truncateFile(folder, `keys/${damagedKey}`, 0.7);
    const named = [expect.objectContaining({ object: expect.stringContaining(damagedKey), level: 'error' })];
    expect((await check(runner, repository)).problems).toEqual(named);
    const result = await check(runner, { ...repository, unlock: { password: 'second' } });
    expect(result.problems).toEqual(named);
    expect(result.intactSnapshotIds.toSorted()).toEqual([...sources.keys()].toSorted());
  });

  it('junk from elsewhere does no harm and is left alone', async () => {
    copyFolder(folderOf(whole), folder);
    scatterJunk(folder);
    const list = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
    const before = list();
    expect(await check(runner, repository)).toMatchObject({ status: 'clean', snapshotCount: 3 });
    expect(await restorable()).toHaveLength(sources.size);
    expect(list()).toEqual(before);
  });
});

forEachRestic('stock restic agrees', (judge) => {
  const theirView = judge.open(folder, password);

  it.each(damages)('$name', async (damage) => {
    copyFolder(folderOf(whole), folder);
    const said = await theirView.mustComplain(damage.do(files));
    const { problems } = await ourCheck(damage);
    expect(namedIn(JSON.stringify(problems))).toEqual(expect.arrayContaining(namedIn(said)));
  });

  it('a missing index: both name the same blobs; repaired, both find it clean, and all restores', async () => {
    copyFolder(folderOf(whole), folder);
    removeFile(folder, `index/${first(namesIn(folder, 'index'))}`);
    const { status, problems } = await check(runner, repository);
    expect(status).toBe('damaged');
    const errors = problems.filter(({ level }) => level === 'error');
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['blob_missing']));
    const said = await theirView.mustComplain();
    const lost = [...said.matchAll(/id ([0-9a-f]{64}) not found in repository/g)].map(([, id]) => id);
    expect(lost.length).toBeGreaterThan(0);
    expect(new Set(errors.map(({ object }) => object))).toEqual(new Set(lost));
    // Its packs are there, but nobody knows of them.
    const unknown = problems.flatMap(({ code, object }) => (code === 'pack_unindexed' ? namedIn(object) : []));
    expect(unknown).toEqual(expect.arrayContaining(namedIn(said)));
    await repair(runner, repository, 'index');
    expect(await check(runner, repository)).toMatchObject({ status: 'clean' });
    await theirView.mustBeClean();
    expect(await restorable()).toHaveLength(sources.size);
  });

  it('no key: nothing opens it but the master key itself', async () => {
    copyFolder(folderOf(whole), folder);
    removeFile(folder, `keys/${first(namesIn(folder, 'keys'))}`);
    expect(await theirView.mustComplain()).toMatch(/no key found/);
    const named = [expect.objectContaining({ code: 'key_missing', object: 'keys', level: 'error' })];
    expect((await check(runner, repository)).problems).toEqual(named);
    const result = await check(runner, opened);
    expect(result.problems).toEqual(named);
    expect(result.intactSnapshotIds.toSorted()).toEqual([...sources.keys()].toSorted());
  });

  it('snapshots without what is lost: repaired, they are clean for both', async () => {
    copyFolder(folderOf(whole), folder);
    removeFile(folder, packPath(last(files.dataPacks)));
    await repair(runner, repository, 'index');
    await repair(runner, repository, 'snapshots');
    expect(await check(runner, repository)).toMatchObject({ status: 'clean' });
    await theirView.mustBeClean();
  });
});
