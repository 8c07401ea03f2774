import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { placeToKeep } from '../../../ports/place-to-keep.ts';
import { notesOfKept, StagedData } from './staged-data.ts';

/** A part of a path that cannot be removed, as when a disk fails; root may remove anything else. */
const { stuck, reading, moving } = vi.hoisted(() => ({
  stuck: { part: null as string | null },
  /** What somebody else does right after a folder was listed. */
  reading: { after: null as (() => void) | null },
  /** What is looked at before something moves. */
  moving: { before: null as (() => void) | null },
}));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const remove: typeof real.rmSync = (path, options) => {
    if (stuck.part === null || !String(path).includes(stuck.part)) return real.rmSync(path, options);
    throw Object.assign(new Error('EIO: i/o error, rm'), { code: 'EIO', syscall: 'rm' });
  };
  const list = ((...args: Parameters<typeof real.readdirSync>) => {
    const names = real.readdirSync(...args);
    reading.after?.();
    return names;
  }) as unknown as typeof real.readdirSync;
  const move: typeof real.renameSync = (from, to) => {
    moving.before?.();
    real.renameSync(from, to);
  };
  return { ...real, rmSync: remove, readdirSync: list, renameSync: move };
});

/** A thread that goes no further than to move out what is there. */
const SWAPPING = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { mkdirSync, renameSync } = require('node:fs');
  import(${JSON.stringify(new URL('../../../ports/process-mark.ts', import.meta.url).href)}).then(({ threadMark }) => {
    const old = workerData + '/.backupx-old-' + threadMark + '-1';
    mkdirSync(old);
    renameSync(workerData + '/ibdata1', old + '/ibdata1');
    parentPort.postMessage('moved');
    setInterval(() => {}, 1000);
  });`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'staged-data-'));
});
afterEach(() => {
  stuck.part = null;
  reading.after = null;
  moving.before = null;
  rmSync(folder, { recursive: true, force: true });
});

const put = (path: string, text: string) => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const filesIn = (at: string): Record<string, string> => {
  const items = readdirSync(at, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  const paths = items.map((item) => join(item.parentPath, item.name).slice(at.length + 1)).sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(at, path), 'utf8')]));
};
async function* bytes(text: string) {
  yield Buffer.from(text);
}

it('makes a folder, and takes it away again', async () => {
  const place = { folder: join(folder, 'a/data'), replaceExisting: false };
  const staged = StagedData.open(place);
  await staged.write('shop/t.ibd', bytes('new'));
  staged.rollback();
  expect(existsSync(place.folder)).toBe(false);
});

it('puts files into an empty folder', async () => {
  mkdirSync(join(folder, 'lost+found'));
  const place = { folder, replaceExisting: false };
  const staged = StagedData.open(place);
  await staged.write('shop/t.ibd', bytes('new'));
  await expect(staged.write('../x', bytes('out'))).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  staged.place(place);
  expect(filesIn(folder)).toEqual({ 'shop/t.ibd': 'new' });
  expect(readdirSync(folder).sort()).toEqual(['lost+found', 'shop']);
});

it('stops before what is there, unless it may be replaced', async () => {
  put('ibdata1', 'old');
  put('only-old/t.ibd', 'old');
  const error = expect.objectContaining({ code: 'DATABASE_EXISTS' });
  expect(() => StagedData.open({ folder, replaceExisting: false })).toThrow(error);
  const staged = StagedData.open({ folder, replaceExisting: true });
  await staged.write('ibdata1', bytes('new'));
  expect(filesIn(folder)).toMatchObject({ ibdata1: 'old' });
  staged.place({ folder, replaceExisting: true });
  expect(filesIn(folder)).toEqual({ ibdata1: 'new' });
  expect(readdirSync(folder)).toEqual(['ibdata1']);
});

it('keeps what it replaced beside the folder when it is told to, and where that can be', async () => {
  const data = join(folder, 'data');
  put('data/ibdata1', 'old');
  const place = { folder: data, replaceExisting: true };
  const replaceBy = async (text: string, keepAs: string | null) => {
    const staged = StagedData.open(place);
    await staged.write('ibdata1', bytes(text));
    return staged.place(place, keepAs);
  };
  const keepAs = placeToKeep(data) ?? '';
  expect(keepAs).toMatch(/\/data\.replaced-\d{14}$/);
  expect(await replaceBy('new', keepAs)).toBe(keepAs);
  expect([filesIn(data), filesIn(keepAs)]).toEqual([{ ibdata1: 'new' }, { ibdata1: 'old' }]);
  // A place that is taken is not touched: what was there stays inside of the folder.
  const kept = (await replaceBy('newer', keepAs)) ?? '';
  expect(kept).toContain('/data/.backupx-kept-');
  expect([filesIn(kept), filesIn(keepAs)]).toEqual([{ ibdata1: 'new' }, { ibdata1: 'old' }]);
  // Also by a later restore, which takes it for no part of the data.
  expect(await replaceBy('newest', null)).toBe(null);
  expect(filesIn(kept)).toEqual({ ibdata1: 'new' });
  expect(readdirSync(data).sort()).toEqual([basename(kept), 'ibdata1']);
  expect(readFileSync(join(data, 'ibdata1'), 'utf8')).toBe('newest');
  expect([placeToKeep('/'), placeToKeep('/proc')]).toEqual([null, null]);
  rmSync(data, { recursive: true });
  expect(await replaceBy('first', keepAs)).toBe(null);
});

it.each(['gone', 'new'])(
  'is no failure when %s folders cannot be removed: all that is new is in place',
  async (kind) => {
    put('ibdata1', 'old');
    const place = { folder, replaceExisting: true };
    const staged = StagedData.open(place);
    await staged.write('ibdata1', bytes('new'));
    stuck.part = `.backupx-${kind}-`;
    expect(staged.place(place)).toBe(null);
    expect(readFileSync(join(folder, 'ibdata1'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual([expect.stringContaining(stuck.part), 'ibdata1']);
    // Of a restore that has ended.
    stuck.part = null;
    renameSync(join(folder, readdirSync(folder)[0] ?? ''), join(folder, `.backupx-${kind}-1`));
    StagedData.open(place).rollback();
    expect(filesIn(folder)).toEqual({ ibdata1: 'new' });
  },
);

it('leaves alone what comes for a restore that runs', async () => {
  const place = { folder, replaceExisting: true };
  const first = StagedData.open(place);
  await first.write('shop/t.ibd', bytes('of the first'));
  StagedData.open(place).rollback();
  await first.write('shop/u.ibd', bytes('of the first'));
  first.place(place);
  expect(filesIn(folder)).toEqual({ 'shop/t.ibd': 'of the first', 'shop/u.ibd': 'of the first' });
  expect(readdirSync(folder)).toEqual(['shop']);
});

it('does not undo what another process or thread puts in place', async () => {
  const parent = `${process.ppid}.${readFileSync(`/proc/${process.ppid}/stat`, 'latin1').split(') ').pop()?.split(' ')[19]}`;
  put(`.backupx-swap-${parent}-1/ibdata1`, 'old');
  put('ibdata1', 'new');
  const error = expect.objectContaining({ code: 'DATABASE_IN_USE' });
  expect(() => StagedData.open({ folder, replaceExisting: true })).toThrow(error);
  expect(readFileSync(join(folder, 'ibdata1'), 'utf8')).toBe('new');
  rmSync(join(folder, `.backupx-swap-${parent}-1`), { recursive: true });
  // The same for one that begins after this one was opened; when its thread has ended its work is undone.
  const place = { folder, replaceExisting: true };
  const staged = StagedData.open(place);
  await staged.write('ibdata1', bytes('newest'));
  const worker = new Worker(SWAPPING, { eval: true, workerData: folder });
  await once(worker, 'message');
  const half = readdirSync(folder).sort();
  expect(() => staged.place(place)).toThrow(error);
  expect(readdirSync(folder).sort()).toEqual(half);
  await worker.terminate();
  // What was there is there again before anything is decided about it.
  const exists = expect.objectContaining({ code: 'DATABASE_EXISTS' });
  expect(() => staged.place({ folder, replaceExisting: false })).toThrow(exists);
  expect(readFileSync(join(folder, 'ibdata1'), 'utf8')).toBe('new');
  staged.place(place);
  expect(filesIn(folder)).toEqual({ ibdata1: 'newest' });
  expect(readdirSync(folder)).toEqual(['ibdata1']);
});

it('leaves alone what moves out for another that begins while this one is opened', () => {
  const parent = `${process.ppid}.${readFileSync(`/proc/${process.ppid}/stat`, 'latin1').split(') ').pop()?.split(' ')[19]}`;
  const old = `.backupx-old-${parent}-1`;
  for (let count = 1, isOver = false; !isOver; count += 1) {
    put('ibdata1', 'old');
    let left = count;
    reading.after = () => {
      left -= 1;
      if (left !== 0) return;
      mkdirSync(join(folder, old));
      renameSync(join(folder, 'ibdata1'), join(folder, old, 'ibdata1'));
    };
    try {
      StagedData.open({ folder, replaceExisting: true }).rollback();
    } catch (error) {
      expect(error).toMatchObject({ code: 'DATABASE_IN_USE' });
    }
    reading.after = null;
    isOver = left > 0;
    expect(filesIn(folder)).toEqual({ [isOver ? 'ibdata1' : `${old}/ibdata1`]: 'old' });
    rmSync(join(folder, old), { recursive: true, force: true });
  }
});

it('takes no file whose name would make the next restore undo this one', async () => {
  const staged = StagedData.open({ folder, replaceExisting: true });
  const error = { code: 'ARTIFACT_DAMAGED' };
  await expect(staged.write('.backupx-swap-1/ibdata1', bytes('x'))).rejects.toMatchObject(error);
});

describe('a restore that was killed', () => {
  const OLD = { ibdata1: 'old', 'only-old/t': 'old' };
  const openNext = () => StagedData.open({ folder, replaceExisting: true }).rollback();

  it.each([
    ['while files came', () => put('.backupx-new-1/ibdata1', 'new')],
    [
      'while the old ones moved out',
      () => {
        mkdirSync(join(folder, '.backupx-old-1'));
        renameSync(join(folder, 'ibdata1'), join(folder, '.backupx-old-1/ibdata1'));
      },
    ],
    [
      'while the new ones moved in',
      () => {
        mkdirSync(join(folder, '.backupx-swap-1'));
        for (const name of ['ibdata1', 'only-old'])
          renameSync(join(folder, name), join(folder, '.backupx-swap-1', name));
        put('ibdata1', 'new');
        put('only-new/t', 'new');
        put('.backupx-new-1/more', 'new');
      },
    ],
  ])('%s leaves the old data', (_, breakIt) => {
    for (const [path, text] of Object.entries(OLD)) put(path, text);
    breakIt();
    openNext();
    expect(filesIn(folder)).toEqual(OLD);
    expect(readdirSync(folder).sort()).toEqual(['ibdata1', 'only-old']);
  });

  it('while the old ones were removed leaves the new data', () => {
    put('ibdata1', 'new');
    put('.backupx-gone-1/ibdata1', 'old');
    openNext();
    expect(filesIn(folder)).toEqual({ ibdata1: 'new' });
  });

  it.each(['still there', 'gone'])(
    'when all was in place leaves it, its empty folder %s: a server may have run on it since',
    (stage) => {
      put('.backupx-swap-1/ibdata1', 'old');
      put('.backupx-swap-1/only-old/t', 'old');
      put('ibdata1', 'written since');
      put('only-new/t', 'new');
      if (stage === 'still there') mkdirSync(join(folder, '.backupx-new-1'));
      openNext();
      const kept = { '.backupx-kept-1/ibdata1': 'old', '.backupx-kept-1/only-old/t': 'old' };
      expect(filesIn(folder)).toEqual({ ...kept, ibdata1: 'written since', 'only-new/t': 'new' });
      expect(readdirSync(folder).sort()).toEqual(['.backupx-kept-1', 'ibdata1', 'only-new']);
      expect(notesOfKept(folder)).toHaveLength(1);
    },
  );

  it('puts back nothing over what somebody has put there since', () => {
    put('.backupx-old-1/ibdata1', 'old');
    put('.backupx-old-1/shop/t', 'old');
    put('ibdata1', 'of others');
    const before = filesIn(folder);
    expect(openNext).toThrow(/ibdata1 is in it and in \.backupx-old-1/);
    expect(filesIn(folder)).toEqual(before);
  });

  it('leaves at no moment a folder on which a server starts that is not whole', async () => {
    for (const [path, text] of Object.entries({ ...OLD, 'mysql/db': 'old' })) put(path, text);
    const place = { folder, replaceExisting: true };
    const staged = StagedData.open(place);
    for (const path of ['ibdata1', 'mysql/db', 'shop/t', 'undo001']) await staged.write(path, bytes('new'));
    const seen = new Set<string>();
    moving.before = () => {
      const files = filesIn(folder);
      if (files['mysql/db'] === undefined) return;
      const own = Object.entries(files).filter(([path]) => !path.startsWith('.backupx-'));
      seen.add(JSON.stringify(own.map(([path, text]) => `${path}: ${text}`)));
    };
    staged.place(place);
    moving.before = null;
    const whole = [
      ['ibdata1: old', 'mysql/db: old', 'only-old/t: old'],
      ['ibdata1: new', 'mysql/db: new', 'shop/t: new', 'undo001: new'],
    ];
    expect([...seen]).toEqual(whole.map((files) => JSON.stringify(files)));
  });

  it('before the old ones were beside the folder leaves both', () => {
    put('ibdata1', 'new');
    put('.backupx-kept-1/ibdata1', 'old');
    openNext();
    expect(filesIn(folder)).toEqual({ ibdata1: 'new', '.backupx-kept-1/ibdata1': 'old' });
    const note = expect.stringMatching(`^${join(folder, '.backupx-kept-1')} holds what an earlier restore replaced`);
    expect([notesOfKept(folder), notesOfKept(join(folder, 'none'))]).toEqual([[note], []]);
  });
});
