/** A restore killed before any of its steps, and killed again while that is settled: what is there is whole. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { leaveAside, leftoversIn, settleInterrupted, writeJournal } from './interrupted-swap.ts';
import { StagedFolder } from './staged-folder.ts';

/** Changes of the file system that are still made; then everything stands still, as after SIGKILL. */
const { allowed, step } = vi.hoisted(() => {
  const allowed = { steps: Number.POSITIVE_INFINITY };
  const step = () => {
    if (allowed.steps <= 0) throw new Error('killed');
    allowed.steps -= 1;
  };
  return { allowed, step };
});

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  /** One name after the other, as the system does it. */
  function rmSync(target: string, options?: fs.RmOptions): void {
    const found = real.lstatSync(target, { throwIfNoEntry: false });
    if (!found && options?.force) return;
    if (found?.isDirectory()) for (const name of real.readdirSync(target)) rmSync(path.join(target, name), options);
    step();
    if (found?.isDirectory()) real.rmdirSync(target);
    else real.unlinkSync(target);
  }
  const counted =
    <A extends unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      step();
      return act(...args);
    };
  /** A part of what it is given, as a full or a slow file system may. */
  const writeShortly = (handle: number, text: string | Uint8Array, at = 0) =>
    real.writeSync(handle, Buffer.from(text as string).subarray(at, at + 300));
  const changes = {
    rmSync,
    renameSync: counted(real.renameSync),
    mkdirSync: counted(real.mkdirSync as (...args: Parameters<typeof real.mkdirSync>) => unknown),
    rmdirSync: counted(real.rmdirSync),
    symlinkSync: counted(real.symlinkSync),
    chmodSync: counted(real.chmodSync),
    writeSync: counted(writeShortly),
  };
  return { ...real, ...changes, default: { ...real, ...changes } };
});
// Nobody who made anything lives.
vi.mock('../../../ports/process-mark.ts', () => ({ processMark: '1.1', threadMark: '1.1', isMarkAlive: () => false }));

let folder: string;
const at = (...parts: string[]) => path.join(folder, ...parts);
beforeEach(() => {
  allowed.steps = Number.POSITIVE_INFINITY;
  folder = fs.mkdtempSync(path.join(tmpdir(), 'interrupted-swap-'));
});
afterEach(() => {
  allowed.steps = Number.POSITIVE_INFINITY;
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Every file below, with its content; without what the next restore removes by itself. */
function look(): Record<string, string> {
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
  const kept = paths.filter((name) => !name.includes('.backupx-restore-')).sort();
  return Object.fromEntries(kept.map((name) => [name, fs.readFileSync(at(name), 'utf8')]));
}

function put(files: Record<string, string>, below = folder): void {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(below, name)), { recursive: true });
    fs.writeFileSync(path.join(below, name), text);
  }
}

const BEFORE = {
  ...{ 'data/PG_VERSION': 'old', 'data/base/1': 'old', 'data/only-old': 'old' },
  ...{ 'space/PG_14_1/7': 'of another', 'space/PG_15_1/7': 'old' },
};
const AFTER = {
  ...{ 'data/PG_VERSION': 'new', 'data/a-new': 'new', 'data/base/1': 'new', 'data/only-new': 'new' },
  ...{ 'space/PG_14_1/7': 'of another', 'space/PG_15_1/7': 'new' },
};

/** Where what is replaced is kept; null: nowhere. */
let keepAs: (name: string) => string | null = () => null;
afterEach(() => {
  keepAs = () => null;
});

const MODE_BEFORE = 0o750;
const modeOf = (name: string): number => fs.statSync(at(name)).mode & 0o777;

interface Restore {
  readonly data: StagedFolder;
  readonly space: StagedFolder;
}

function begin(): Restore {
  fs.rmSync(folder, { recursive: true });
  put(BEFORE);
  for (const name of ['data', 'space']) fs.chmodSync(at(name), MODE_BEFORE);
  const [data, space] = [new StagedFolder(at('data'), null), new StagedFolder(at('space'), null)];
  put({ PG_VERSION: 'new', 'a-new': 'new', 'base/1': 'new', 'only-new': 'new' }, data.scratch);
  put({ 'PG_15_1/7': 'new' }, space.scratch);
  return { data, space };
}

/** As a restore does it. */
function putInPlace({ data, space }: Restore): void {
  const plans = [data.plan(keepAs('data')), space.plan(keepAs('space'))];
  writeJournal(plans);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  data.commit(0o700, () => true);
  for (const staged of [data, space]) staged.keep();
  leaveAside(plans);
}

/** As a restore does it that fails. */
function failInPlace(restore: Restore): void {
  const all = [restore.data, restore.space];
  writeJournal(all.map((staged) => staged.plan()));
  restore.data.setAside(() => true);
  restore.space.commit(0o700, (name) => name === 'PG_15_1');
  restore.data.commit(0o700, () => true);
  for (const staged of all) staged.withdraw();
  for (const staged of all.toReversed()) staged.takeBack();
  for (const staged of all) staged.discard();
}

/** True when it came to its end before the kill. */
function isKilledAfter(steps: number, act: () => void): boolean {
  allowed.steps = steps;
  try {
    act();
    return allowed.steps <= 0;
  } catch (error) {
    if ((error as Error).message !== 'killed') throw error;
    return true;
  } finally {
    allowed.steps = Number.POSITIVE_INFINITY;
  }
}

/** A server starts with what it finds. */
function expectNoMixture(): void {
  const { 'data/PG_VERSION': version, 'space/PG_15_1/7': rows } = look();
  if (version !== undefined) expect(rows).toBe(version);
}

function expectWhole(): string {
  // The next restore, which fails at once.
  for (const name of ['data', 'space']) new StagedFolder(at(name), null).discard();
  const found = look();
  expect(found).toEqual(found['data/PG_VERSION'] === 'new' ? AFTER : BEFORE);
  expect([leftoversIn(at('data')), leftoversIn(at('space'))]).toEqual([[], []]);
  const mode = found['data/PG_VERSION'] === 'new' ? 0o700 : MODE_BEFORE;
  expect([modeOf('data'), modeOf('space')]).toEqual([mode, mode]);
  return found['data/PG_VERSION'] ?? '';
}

it.each([
  ['puts in place', putInPlace, ['new', 'old']],
  ['takes back', failInPlace, ['new', 'old']],
])('a restore that is killed while it %s is settled, wherever that is killed in turn', (_, act, expected) => {
  const outcomes = new Set<string>();
  let [steps, isKilled] = [0, true];
  for (; isKilled; steps += 1) {
    const restore = begin();
    isKilled = isKilledAfter(steps, () => act(restore));
    expectNoMixture();
    for (let settling = 0; isKilledAfter(settling, () => void settleInterrupted(at('data'))); settling += 1) {
      // Killed again, a little later each time.
      expectNoMixture();
    }
    outcomes.add(expectWhole());
  }
  expect(steps).toBeGreaterThan(15);
  expect([...outcomes].sort()).toEqual(expected);
});

it('takes nothing for its own that somebody has put there since, and keeps what was there before', () => {
  const restore = begin();
  // All is aside, and nothing in place yet.
  writeJournal([restore.data.plan(), restore.space.plan()]);
  restore.data.setAside(() => true);
  put({ 'data/base/1': 'of others', 'data/PG_VERSION': 'of others' });
  fs.rmSync(path.join(restore.data.scratch, 'base'), { recursive: true });
  expect(settleInterrupted(at('data'))).toBeNull();
  const [aside] = leftoversIn(at('data'));
  expect(look()).toEqual({
    ...{ 'data/PG_VERSION': 'of others', 'data/base/1': 'of others', 'data/only-old': 'old' },
    ...{ [`data/${aside}/PG_VERSION`]: 'old', [`data/${aside}/base/1`]: 'old' },
    ...{ 'space/PG_14_1/7': 'of another', 'space/PG_15_1/7': 'old' },
  });
});

it.each([
  ['among other new ones', 'data/base/1'],
  ['alone, where there was none of its name', 'data/a-new'],
  ['in a tablespace', 'space/PG_15_1/7'],
])('lets no server start on a folder that was copied in the middle: a new file is there %s', (_, first) => {
  let steps = 0;
  do isKilledAfter(steps++, putInPlace.bind(null, begin()));
  while (look()[first] !== 'new');
  // By file, to the same place: another disk, perhaps.
  const [copied = ''] = first.split('/');
  fs.cpSync(at(copied), at('copy'), { recursive: true });
  fs.rmSync(at(copied), { recursive: true });
  fs.renameSync(at('copy'), at(copied));
  for (let settling = 0; isKilledAfter(settling, () => void settleInterrupted(at('data'))); settling += 1) {
    expect(look()).not.toHaveProperty('data/PG_VERSION');
  }
  expect(settleInterrupted(at('data'))).toBeNull();
  expect(look()).not.toHaveProperty('data/PG_VERSION');
  const [aside] = leftoversIn(at('data'));
  expect(look()).toMatchObject({ [`data/${aside}/PG_VERSION`]: 'old', [first]: 'new' });
});

it('keeps what was moved aside when what was written is gone, and what a copied folder tells of', () => {
  const restore = begin();
  writeJournal([restore.data.plan(), restore.space.plan()]);
  restore.data.setAside(() => true);
  fs.cpSync(at('data'), at('copy'), { recursive: true });
  const before = look();
  expect(settleInterrupted(at('copy'))).toBeNull();
  expect(look()).toEqual(before);
  fs.rmSync(restore.data.scratch, { recursive: true });
  expect(settleInterrupted(at('data'))).toBeNull();
  expect(look()).toEqual(before);
});

it('keeps what it replaced, with its tablespaces, wherever it is killed', () => {
  keepAs = (name) => at(`${name}.replaced`);
  const link = path.join('data.replaced', 'pg_tblspc', '7');
  for (let [steps, isKilled] = [0, true]; isKilled; steps += 1) {
    const restore = begin();
    fs.mkdirSync(at('data/pg_tblspc'));
    fs.symlinkSync(at('space'), at('data/pg_tblspc/7'));
    isKilled = isKilledAfter(steps, () => putInPlace(restore));
    for (let settling = 0; isKilledAfter(settling, () => void settleInterrupted(at('data'))); settling += 1);
    const found = look();
    if (found['data/PG_VERSION'] === 'old') continue;
    expect(found).toMatchObject({ 'data/PG_VERSION': 'new', 'data/base/1': 'new', 'space/PG_15_1/7': 'new' });
    expect(found).toMatchObject({ 'data.replaced/PG_VERSION': 'old', 'data.replaced/base/1': 'old' });
    expect([modeOf('data.replaced'), modeOf('space.replaced')]).toEqual([MODE_BEFORE, MODE_BEFORE]);
    expect([found['space.replaced/PG_15_1/7'], fs.readlinkSync(at(link))]).toEqual(['old', at('space.replaced')]);
    expect([leftoversIn(at('data')), leftoversIn(at('space'))]).toEqual([[], []]);
  }
});

it('leaves what it replaced where it is when its place is taken, and lets the next restore begin', () => {
  keepAs = (name) => at(`${name}.replaced`);
  const restore = begin();
  put({ 'data.replaced/mine': 'of others' });
  expect(() => putInPlace(restore)).toThrow(/ENOTEMPTY/);
  const notes: string[] = [];
  expect(settleInterrupted(at('data'), (text) => notes.push(text))).toBeNull();
  expect(notes).toEqual([expect.stringContaining('ENOTEMPTY')]);
  const [aside] = leftoversIn(at('data'));
  expect(look()).toMatchObject({ 'data/PG_VERSION': 'new', [`data/${aside}/PG_VERSION`]: 'old' });
  expect(look()).toMatchObject({ 'data.replaced/mine': 'of others', 'space.replaced/PG_15_1/7': 'old' });
  fs.rmSync(at('data.replaced'), { recursive: true });
  expect(settleInterrupted(at('data'), (text) => notes.push(text))).toBe('finished');
  expect([leftoversIn(at('data')), look()['data.replaced/PG_VERSION'], notes.length]).toEqual([[], 'old', 3]);
});

it('takes nothing back once all is in place, also when its empty folder is still there: a server may have run', () => {
  const { data, space } = begin();
  writeJournal([data.plan(), space.plan()]);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  data.commit(0o700, () => true);
  // Killed right before that was gone.
  fs.mkdirSync(data.scratch);
  put({ 'data/base/1': 'written since' });
  expect(settleInterrupted(at('data'))).toBe('finished');
  expect(look()).toEqual({ ...AFTER, 'data/base/1': 'written since' });
});

it('takes nothing back while a tablespace is not there, since what is in it may be new', () => {
  const { data, space } = begin();
  writeJournal([data.plan(), space.plan()]);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  fs.renameSync(at('space'), at('unmounted'));
  fs.mkdirSync(at('space'));
  const before = look();
  expect(settleInterrupted(at('data'))).toBeNull();
  expect(look()).toEqual(before);
  fs.rmdirSync(at('space'));
  fs.renameSync(at('unmounted'), at('space'));
  expect(settleInterrupted(at('data'))).toBe('taken back');
  expect(expectWhole()).toBe('old');
});

it('waits for a tablespace that is not there with what it has replaced, which is in part on that disk', () => {
  const { data, space } = begin();
  fs.mkdirSync(path.join(data.scratch, 'pg_tblspc'));
  fs.symlinkSync(at('space'), path.join(data.scratch, 'pg_tblspc/7'));
  writeJournal([data.plan(), space.plan()]);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  data.commit(0o700, () => true);
  fs.renameSync(at('space'), at('unmounted'));
  fs.mkdirSync(at('space'));
  const [before, notes] = [look(), [] as string[]];
  expect(settleInterrupted(at('data'), (text) => notes.push(text))).toBeNull();
  expect(look()).toEqual(before);
  expect(notes).toEqual([expect.stringContaining(`nothing is in ${at('space')}, so its disk is not mounted`)]);
  fs.rmdirSync(at('space'));
  fs.renameSync(at('unmounted'), at('space'));
  expect(settleInterrupted(at('data'))).toBe('finished');
  expect(look()).toMatchObject(AFTER);
  expect([leftoversIn(at('data')), leftoversIn(at('space'))]).toEqual([[], []]);
});

it('waits for none that the server has dropped since', () => {
  const { data, space } = begin();
  writeJournal([data.plan(), space.plan()]);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  data.commit(0o700, () => true);
  fs.rmSync(at('space'), { recursive: true });
  expect(settleInterrupted(at('data'))).toBe('finished');
  expect([leftoversIn(at('data')), fs.existsSync(at('space'))]).toEqual([[], false]);
});

it.skipIf(process.getuid?.() !== 0)('gives what it keeps, or takes back, to whom it belonged (needs root)', () => {
  const [before, after] = [
    { uid: 54_321, gid: 54_322 },
    { uid: 54_323, gid: 54_324 },
  ];
  const ownerOf = (name: string) => fs.statSync(at(name)).uid;
  const restore = () => {
    fs.rmSync(folder, { recursive: true });
    put(BEFORE);
    for (const name of ['data', 'space']) fs.chownSync(at(name), before.uid, before.gid);
    const [data, space] = [new StagedFolder(at('data'), after), new StagedFolder(at('space'), after)];
    put({ PG_VERSION: 'new' }, data.scratch);
    put({ 'PG_15_1/7': 'new' }, space.scratch);
    return { data, space };
  };
  keepAs = (name) => at(`${name}.replaced`);
  putInPlace(restore());
  const names = ['data', 'space', 'data.replaced', 'space.replaced'];
  expect(names.map(ownerOf)).toEqual([after.uid, after.uid, before.uid, before.uid]);
  failInPlace(restore());
  expect([ownerOf('data'), ownerOf('space')]).toEqual([before.uid, before.uid]);
  const { data, space } = restore();
  writeJournal([data.plan(), space.plan()]);
  data.setAside(() => true);
  space.commit(0o700, (name) => name === 'PG_15_1');
  expect(ownerOf('space')).toBe(after.uid);
  expect(settleInterrupted(at('data'))).toBe('taken back');
  expect([ownerOf('data'), ownerOf('space')]).toEqual([before.uid, before.uid]);
});

it('leaves what it knows nothing of', () => {
  put({ 'data/.backupx-old-1.1-00/PG_VERSION': 'of an older BackupX' });
  expect(settleInterrupted(at('data'))).toBeNull();
  expect(leftoversIn(at('data'))).toHaveLength(1);
  expect(settleInterrupted(at('nothing'))).toBeNull();
});
