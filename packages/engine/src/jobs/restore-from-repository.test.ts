/** Restores of snapshots: real folders, repositories in memory. */
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryAccess, RunBackupJob, RunRestoreJob } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packMasterKey } from '../repository/format/master-key.ts';
import { makeRepository } from '../repository/maintenance/small-repository.ts';
import { sourceDrivers } from '../sources/index.ts';
import { describeTree, makeOddTree, treeDifferences } from '../testing/file-tree.ts';
import { backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { runBackup } from './run-backup.ts';
import { runRestore } from './run-restore.ts';

const MIB = 1024 * 1024;
let root: string;
let source: string;
let out: string;
let memory: MemoryStorage;
let fixture: JobFixture;
let access: RepositoryAccess;
/** Bytes of packs that were read since the last backup. */
let packBytesRead: number;
let onPackRead: () => void;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-snapshot-'));
  source = path.join(root, 'srv', 'www');
  out = path.join(root, 'out');
  mkdirSync(source, { recursive: true });
  memory = createMemoryStorage();
  packBytesRead = 0;
  onPackRead = () => {};
  const watched = { ...memory, get: watchedGet };
  fixture = createJobFixture({ storages: { s1: watched }, sources: sourceDrivers });
  const repository = await makeRepository(memory);
  const unlock = { masterKey: packMasterKey(repository.masterKey) };
  access = { id: 0, target: testTarget(1), prefix: '', unlock, leaseId: 0, condemnedPacks: [] };
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});

async function* watchedGet(key: string, options: Parameters<MemoryStorage['get']>[1]) {
  for await (const chunk of memory.get(key, options)) {
    if (key.startsWith('data/')) {
      packBytesRead += chunk.byteLength;
      onPackRead();
    }
    yield chunk;
  }
}

async function backup(more: Partial<RunBackupJob> = {}): Promise<string> {
  const job = backupJob([source], {
    repositories: [access],
    snapshot: { hostname: 'test', tags: [], parentId: null, dryRun: false },
    ...more,
  });
  const readersUrl = new URL('../sources/readers.ts', import.meta.url).href;
  const result = await runBackup(job, { ...fixture.context, readersUrl });
  packBytesRead = 0;
  return result.snapshot?.snapshotId ?? '';
}

function restore(snapshotId: string, more: Partial<RunRestoreJob> = {}) {
  const artifact = {
    ...{ target: testTarget(1), storagePath: '', contentsPath: null, fileName: '', checksum: null, fileSize: null },
    encryption: null,
    snapshot: { repository: access, snapshotId },
  };
  const job: RunRestoreJob = {
    ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 7, taskName: 'test', artifact },
    source: { type: 'file', config: { paths: [source] } },
    targetPath: out,
    paths: null,
    overwrite: 'always',
    ...more,
  };
  return runRestore(job, fixture.context);
}

/** Deterministic bytes that zstd cannot shrink. */
function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes.writeInt32LE(state ^ (state >>> 13), at);
  }
  return bytes;
}
const write = (name: string, content: string | Buffer) => {
  mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
  writeFileSync(path.join(source, name), content);
};
const packs = () => [...memory.objects.keys()].filter((key) => key.startsWith('data/'));
const differences = () => treeDifferences(describeTree(source), describeTree(path.join(out, 'www')));
const leftovers = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'latin1' }).filter((name) => name.includes('.backupx-restore'));

describe('a whole snapshot', () => {
  it('comes back with everything it had', async () => {
    makeOddTree(source);
    write('large', noise(9 * MIB));
    write('again/large', noise(9 * MIB));
    write('zeros', Buffer.alloc(3 * MIB));
    const id = await backup();
    const result = await restore(id);
    expect(result).toMatchObject({ status: 'success', problems: [], itemsSkipped: 0 });
    expect(differences()).toEqual([]);
    expect(statSync(path.join(out, 'www', 'zeros')).blocks).toBe(0);
    // What is there twice is read once, and zeros not at all.
    expect(packBytesRead).toBeLessThan(11 * MIB);
    const last = fixture.progress.at(-1);
    expect(last).toMatchObject({ phase: 'done', percent: 100, itemsDone: result.itemsWritten });
    expect(fixture.progress.some(({ bytesTotal }) => (bytesTotal ?? 0) > 18 * MIB)).toBe(true);
  });

  it('goes back to its original place, over what was changed since', async () => {
    write('a', 'first');
    write('sub/b', 'first');
    const id = await backup();
    writeFileSync(path.join(source, 'a'), 'second, longer');
    rmSync(path.join(source, 'sub'), { recursive: true });
    writeFileSync(path.join(source, 'newer'), 'stays');
    await restore(id, { targetPath: null });
    expect(readFileSync(path.join(source, 'a'), 'utf8')).toBe('first');
    expect(readFileSync(path.join(source, 'sub', 'b'), 'utf8')).toBe('first');
    expect(readFileSync(path.join(source, 'newer'), 'utf8')).toBe('stays');
  });

  it('is found by its prefix; an unknown one is an error', async () => {
    write('a', 'x');
    const id = await backup();
    expect((await restore(id.slice(0, 8))).itemsWritten).toBe(2);
    await expect(restore('0123456789abcdef')).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
    await expect(restore(id, { overwrite: 'never' })).rejects.toMatchObject({ code: 'RESTORE_NOTHING_WRITTEN' });
  });
});

describe('parts of a snapshot', () => {
  it('brings what is asked for, and the first of the names of a file that is', async () => {
    for (const name of ['a/1', 'a/2', 'b/1', 'c']) write(name, name);
    linkSync(path.join(source, 'a/1'), path.join(source, 'b/link'));
    linkSync(path.join(source, 'a/1'), path.join(source, 'b/other'));
    const id = await backup();
    const paths = [`${source}/b/`, `${source}/c`, `${source}/missing`];
    const result = await restore(id, { paths });
    expect(readdirSync(out, { recursive: true }).sort()).toEqual([
      ...['www', 'www/b', 'www/b/1', 'www/b/link', 'www/b/other', 'www/c'],
    ]);
    expect(statSync(path.join(out, 'www/b/link')).nlink).toBe(2);
    expect(readFileSync(path.join(out, 'www/b/link'), 'utf8')).toBe('a/1');
    expect(result.problems).toEqual([
      { path: `${source}/missing`, code: 'skipped', message: 'it is not in the snapshot' },
    ]);
    await expect(restore(id, { paths: [`${source}/missing`] })).rejects.toMatchObject({
      code: 'RESTORE_NOTHING_WRITTEN',
    });
  });
});

describe('what is there already', () => {
  beforeEach(() => {
    write('same', noise(3 * MIB));
    write('half', noise(6 * MIB, 2));
    write('small', 'small');
  });

  it('is kept where it is right, and only the rest is read', async () => {
    const id = await backup();
    await restore(id);
    const half = path.join(out, 'www', 'half');
    const changed = readFileSync(half);
    changed.fill(0, 5 * MIB);
    writeFileSync(half, changed);
    const inode = statSync(path.join(out, 'www', 'same')).ino;
    utimesSync(path.join(out, 'www', 'same'), 1, 1);
    packBytesRead = 0;
    const result = await restore(id);
    expect(result).toMatchObject({ status: 'success', itemsWritten: 4 });
    expect(packBytesRead).toBeLessThan(4 * MIB);
    expect(statSync(path.join(out, 'www', 'same')).ino).toBe(inode);
    expect(differences()).toEqual([]);
  });

  it('is left alone as the overwrite mode says', async () => {
    const id = await backup();
    await restore(id);
    const small = path.join(out, 'www', 'small');
    appendFileSync(small, ' changed');
    rmSync(path.join(out, 'www', 'half'));
    expect(await restore(id, { overwrite: 'never' })).toMatchObject({ itemsWritten: 1, itemsSkipped: 3 });
    expect(readFileSync(small, 'utf8')).toBe('small changed');
    utimesSync(small, 1, 1);
    expect(await restore(id, { overwrite: 'if_newer' })).toMatchObject({ itemsWritten: 1, itemsSkipped: 3 });
    // The folder was changed in between, so it stays as it is.
    expect(differences().map((text) => text.slice(0, 6))).toEqual([': time']);
  });

  it('is compared in a dry run, which changes nothing', async () => {
    const id = await backup();
    const foreseen = await restore(id, { dryRun: true });
    expect(foreseen).toMatchObject({ status: 'success', itemsWritten: 4, bytesWritten: 9 * MIB + 5 });
    expect(existsSync(out)).toBe(false);
    await restore(id);
    rmSync(path.join(out, 'www', 'small'));
    writeFileSync(path.join(out, 'www', 'same'), noise(3 * MIB, 9));
    fixture.logs.length = 0;
    packBytesRead = 0;
    expect(await restore(id, { dryRun: true })).toMatchObject({ itemsWritten: 4, bytesWritten: 3 * MIB + 5 });
    expect(fixture.logs).toEqual([
      `info: ${source}/same would be replaced (${3 * MIB} bytes).`,
      `info: ${source}/small would be made (5 bytes).`,
    ]);
    expect(existsSync(path.join(out, 'www', 'small'))).toBe(false);
    // Trees and the like; no content.
    expect(packBytesRead).toBeLessThan(MIB);
  });
});

describe('interrupted', () => {
  it('leaves whole files only; the next run reads the rest', async () => {
    for (let number = 0; number < 24; number += 1) write(`d${number % 3}/f${number}`, noise(2 * MIB, number + 1));
    const id = await backup();
    const inPlace = () => (existsSync(out) ? readdirSync(out, { recursive: true, encoding: 'utf8' }) : []);
    onPackRead = () => {
      if (inPlace().filter((name) => /\/f\d+$/.test(name)).length >= 3) fixture.abort.abort();
    };
    await expect(restore(id)).rejects.toMatchObject({ code: 'CANCELLED' });
    onPackRead = () => {};
    expect(leftovers(out)).toEqual([]);
    for (const name of inPlace()) {
      if (!statSync(path.join(out, name)).isFile()) continue;
      const original = readFileSync(path.join(root, 'srv', name));
      expect(readFileSync(path.join(out, name)).equals(original)).toBe(true);
    }
    packBytesRead = 0;
    fixture = { ...fixture, context: { ...fixture.context, signal: new AbortController().signal } };
    expect(await restore(id, { overwrite: 'if_newer' })).toMatchObject({ status: 'success' });
    expect(packBytesRead).toBeLessThan(43 * MIB);
    expect(differences()).toEqual([]);
  });

  it('ends with the error of a storage that cannot be reached', async () => {
    for (let number = 0; number < 4; number += 1) write(`f${number}`, noise(6 * MIB, number + 1));
    const id = await backup();
    onPackRead = () => {
      if (packBytesRead > 10 * MIB) throw new AppError('STORAGE_UNREACHABLE', { reason: 'gone' });
    };
    await expect(restore(id)).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(leftovers(out)).toEqual([]);
    expect(fixture.logs.join()).toContain('run it again');
  });
});

describe('damage', () => {
  const damage = (key: string, at: number) => {
    const bytes = Uint8Array.from(memory.objects.get(key) ?? []);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    memory.objects.set(key, bytes);
  };

  it('costs the files it is in, by name, and nothing else', async () => {
    write('a', noise(700_000));
    write('b', noise(700_000, 2));
    const before = packs();
    const id = await backup();
    const largest = packs()
      .filter((key) => !before.includes(key))
      .map((key) => ({ key, size: memory.objects.get(key)?.byteLength ?? 0 }))
      .sort((x, y) => y.size - x.size)[0];
    damage(largest?.key ?? '', 1000);
    const result = await restore(id);
    expect(result.status).toBe('warning');
    expect(result.problems).toHaveLength(1);
    const [problem] = result.problems;
    expect(problem).toMatchObject({ code: 'unreadable' });
    expect(problem?.message).toMatch(/^its content is lost: data blob [0-9a-f]{64} in pack [0-9a-f]{64}/);
    const lost = path.basename(problem?.path ?? '');
    expect(readdirSync(path.join(out, 'www'))).toEqual([lost === 'a' ? 'b' : 'a']);
  });

  it('of a whole pack or all packs is told for each file; nothing left is an error', async () => {
    write('a', 'content of a');
    write('b', 'content of b');
    write('empty', '');
    linkSync(path.join(source, 'a'), path.join(source, 'other-a'));
    const id = await backup();
    const isData = (key: string) => (memory.objects.get(key)?.byteLength ?? 0) < 300;
    for (const key of packs().filter(isData)) memory.objects.delete(key);
    const result = await restore(id);
    expect(result.problems.filter(({ message }) => / lost: pack [0-9a-f]{64} is missing$/.test(message))).toHaveLength(
      2,
    );
    expect(result.problems.map(({ path: item, code }) => [path.basename(item), code])).toEqual(
      expect.arrayContaining([
        ['a', 'unreadable'],
        ['b', 'unreadable'],
        ['other-a', 'unreadable'],
      ]),
    );
    expect(readdirSync(path.join(out, 'www'))).toEqual(['empty']);
    for (const key of packs()) memory.objects.delete(key);
    await expect(restore(id, { targetPath: `${out}-2` })).rejects.toMatchObject({ code: 'RESTORE_NOTHING_WRITTEN' });
  });

  it('of a tree costs what is in its folder', async () => {
    write('sub/lost', 'x');
    write('kept', 'y');
    const first = packs();
    const id = await backup();
    // The folder's tree is the one of the two later snapshots that only they share.
    write('sub/lost', 'changed');
    const before = packs();
    expect(before.length).toBeGreaterThan(first.length);
    const second = await backup();
    for (const key of packs().filter((item) => !before.includes(item))) {
      const size = memory.objects.get(key)?.byteLength ?? 0;
      damage(key, Math.floor(size / 3));
    }
    const result = await restore(second).catch((error: AppError) => error);
    expect(result).toMatchObject({ code: 'RESTORE_NOTHING_WRITTEN' });
    expect((await restore(id, { targetPath: `${out}-2` })).status).toBe('success');
  });
});
