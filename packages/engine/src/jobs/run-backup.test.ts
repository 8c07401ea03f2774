import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunRestoreJob } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAgeKey } from '../archive/encryption.ts';
import type { SourceDriver } from '../ports/source.ts';
import { sourceDrivers } from '../sources/index.ts';
import { describeTree, makeOddTree, treeDifferences } from '../testing/file-tree.ts';
import { artifactOf, backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { browseArtifact } from './browse-artifact.ts';
import { runBackup } from './run-backup.ts';
import { runRestore } from './run-restore.ts';
import { verifyArtifact } from './verify-artifact.ts';

let root: string;
let source: string;
let memory: MemoryStorage;
let fixture: JobFixture;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-job-'));
  source = path.join(root, 'srv', 'www');
  mkdirSync(source, { recursive: true });
  memory = createMemoryStorage();
  fixture = createJobFixture({ storages: { s1: memory }, sources: sourceDrivers });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});

const restoreJob = (artifact: RunRestoreJob['artifact'], more: Partial<RunRestoreJob> = {}): RunRestoreJob => ({
  kind: 'run_restore',
  restoreRecordId: 1,
  recordId: 7,
  taskName: 'test',
  source: { type: 'file', config: { paths: [source] } },
  artifact,
  targetPath: path.join(root, 'out'),
  paths: null,
  overwrite: 'never',
  ...more,
});

describe('backup and restore', () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    it(`brings an odd tree back as it was (${compression}, encrypted)`, async () => {
      makeOddTree(source);
      const key = await createAgeKey();
      const job = backupJob([source], { compression, encryption: { recipients: [key.recipient] } });
      const result = await runBackup(job, fixture.context);
      expect(result).toMatchObject({ status: 'success', problemCount: 0 });
      expect([...memory.objects.keys()].sort()).toEqual([result.storagePath, result.contentsPath]);
      expect(memory.objects.get(result.storagePath)?.byteLength).toBe(result.fileSize);
      const artifact = artifactOf(result, testTarget(1), { identities: [key.identity] });
      const outcome = await runRestore(restoreJob(artifact), fixture.context);
      expect(outcome).toMatchObject({ status: 'success', itemsWritten: result.itemCount });
      expect(treeDifferences(describeTree(source), describeTree(path.join(root, 'out', 'www')))).toEqual([]);
      const sparse = statSync(path.join(root, 'out', 'www', 'sparse'));
      expect(sparse.blocks * 512).toBeLessThan(1024 * 1024);
      expect(await verifyArtifact({ kind: 'verify_artifact', artifact, mode: 'quick' }, fixture.context)).toMatchObject(
        {
          itemCount: result.itemCount,
        },
      );
      expect(readdirSync(fixture.context.tempDir)).toEqual([]);
    });
  }

  it('restores to the original place, selected paths only, and says when nothing was written', async () => {
    makeOddTree(source);
    const before = describeTree(source);
    const artifact = artifactOf(await runBackup(backupJob([source]), fixture.context));
    rmSync(path.join(source, 'deep'), { recursive: true });
    rmSync(path.join(source, 'dense'));
    const selected = restoreJob(artifact, { targetPath: null, paths: [path.join(source, 'deep/er')] });
    expect(await runRestore(selected, fixture.context)).toMatchObject({ status: 'success', itemsWritten: 3 });
    expect(existsSync(path.join(source, 'dense'))).toBe(false);
    const all = await runRestore(restoreJob(artifact, { targetPath: null, overwrite: 'always' }), fixture.context);
    expect(all.problems).toEqual([]);
    expect(treeDifferences(before, describeTree(source))).toEqual([]);
    await expect(runRestore(restoreJob(artifact, { targetPath: null }), fixture.context)).rejects.toMatchObject({
      code: 'RESTORE_NOTHING_WRITTEN',
      params: { reason: expect.stringContaining('never') },
    });
    const nothing = restoreJob(artifact, { paths: ['/elsewhere'] });
    await expect(runRestore(nothing, fixture.context)).rejects.toMatchObject({ code: 'RESTORE_NOTHING_WRITTEN' });
  });

  it('keeps newer files in the mode if_newer', async () => {
    writeFileSync(path.join(source, 'old'), 'stored');
    writeFileSync(path.join(source, 'new'), 'stored');
    const artifact = artifactOf(await runBackup(backupJob([source]), fixture.context));
    writeFileSync(path.join(source, 'old'), 'older');
    utimesSync(path.join(source, 'old'), 1, 1);
    writeFileSync(path.join(source, 'new'), 'newer');
    const outcome = await runRestore(
      restoreJob(artifact, { targetPath: null, overwrite: 'if_newer' }),
      fixture.context,
    );
    expect(outcome.itemsWritten).toBe(1);
    const tree = describeTree(source);
    expect(Buffer.from(tree.get('/old')?.content ?? '', 'base64').toString()).toBe('stored');
    expect(Buffer.from(tree.get('/new')?.content ?? '', 'base64').toString()).toBe('newer');
  });

  it('browses with and without the list of contents', async () => {
    makeOddTree(source);
    const artifact = artifactOf(await runBackup(backupJob([source]), fixture.context));
    const question = { kind: 'browse_artifact', artifact, path: source, search: null, offset: 0, limit: 100 } as const;
    const listed = await browseArtifact(question, fixture.context);
    expect(listed.total).toBeGreaterThan(12);
    memory.objects.delete(artifact.contentsPath ?? '');
    expect(await browseArtifact(question, fixture.context)).toEqual(listed);
  });
});

describe('what goes wrong with single items', () => {
  it('reports a file that changes while it is read', async () => {
    const file = path.join(source, 'growing');
    writeFileSync(file, Buffer.alloc(300_000, 1));
    const reading = createJobFixture({ storages: { s1: memory }, sources: sourceDrivers, blockSize: 4096 });
    const put = memory.put.bind(memory);
    const watched = {
      ...memory,
      put: (key: string, body: AsyncIterable<Uint8Array>, options: { signal: AbortSignal }) =>
        put(
          key,
          touchAfterFirst(body, () => appendFileSync(file, 'more')),
          options,
        ),
    };
    Object.assign(reading.context.drivers, { openStorage: () => watched });
    const result = await runBackup(backupJob([source], { compression: 'none' }), reading.context);
    expect(result.status).toBe('warning');
    expect(result.problems).toEqual([expect.objectContaining({ path: file, code: 'changed' })]);
  });

  it('reports a path that is not there and stores the rest', async () => {
    writeFileSync(path.join(source, 'a'), 'a');
    const result = await runBackup(backupJob([source, path.join(root, 'missing')]), fixture.context);
    expect(result).toMatchObject({ status: 'warning', itemCount: 2 });
    expect(result.problems[0]).toMatchObject({ path: path.join(root, 'missing'), code: 'vanished' });
  });

  it('fails when there is nothing at all, and stores nothing', async () => {
    const job = backupJob([path.join(root, 'missing')]);
    await expect(runBackup(job, fixture.context)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    expect(memory.objects.size).toBe(0);
  });
});

async function* touchAfterFirst(body: AsyncIterable<Uint8Array>, touch: () => void): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of body) {
    if (isFirst) touch();
    isFirst = false;
    yield chunk;
  }
}

describe('several targets', () => {
  it('goes on when one fails and says so', async () => {
    writeFileSync(path.join(source, 'a'), Buffer.alloc(3_000_000, 7));
    const other = createMemoryStorage({ failAfterBytes: 100_000 });
    const both = createJobFixture({ storages: { s1: other, s2: memory }, sources: sourceDrivers });
    const job = backupJob([source], { compression: 'none', targets: [testTarget(1), testTarget(2)] });
    const result = await runBackup(job, both.context);
    expect(result.status).toBe('warning');
    expect(result.targets.map((target) => target.status)).toEqual(['failed', 'success']);
    expect(other.objects.size).toBe(0);
    const artifact = artifactOf(result, testTarget(2));
    expect(await runRestore(restoreJob(artifact), both.context)).toMatchObject({ status: 'success' });
  });

  it('fails with the first error when all fail', async () => {
    writeFileSync(path.join(source, 'a'), Buffer.alloc(3_000_000, 7));
    const full = () => createMemoryStorage({ failAfterBytes: 100_000 });
    const both = createJobFixture({ storages: { s1: full(), s2: full() }, sources: sourceDrivers });
    const job = backupJob([source], { compression: 'none', targets: [testTarget(1), testTarget(2)] });
    await expect(runBackup(job, both.context)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  });

  it('only warns when the list of contents cannot be stored', async () => {
    writeFileSync(path.join(source, 'a'), 'a');
    const put = memory.put.bind(memory);
    const picky: MemoryStorage = {
      ...memory,
      put: (key, body, options) =>
        key.endsWith('.contents') ? Promise.reject(new Error('no lists here')) : put(key, body, options),
    };
    const context = createJobFixture({ storages: { s1: picky }, sources: sourceDrivers }).context;
    const result = await runBackup(backupJob([source]), context);
    expect(result).toMatchObject({ status: 'warning', problems: [{ code: 'upload_failed' }] });
  });
});

describe('cancelling', () => {
  const pausing = (after: number, abort: () => void): SourceDriver => {
    const driver = sourceDrivers[0] as SourceDriver;
    return {
      ...driver,
      *entries(config, context) {
        let count = 0;
        for (const entry of driver.entries(config, context) as Iterable<never>) {
          if (++count === after) abort();
          yield entry;
        }
      },
    };
  };

  for (const after of [1, 3, 6]) {
    it(`leaves nothing behind when cancelled at item ${after}`, async () => {
      for (let index = 0; index < 10; index += 1)
        writeFileSync(path.join(source, `f${index}`), Buffer.alloc(200_000, index));
      const holder: { abort?: () => void } = {};
      const cancelled = createJobFixture({
        storages: { s1: memory },
        sources: [pausing(after, () => holder.abort?.())],
      });
      holder.abort = () => cancelled.abort.abort();
      await expect(runBackup(backupJob([source]), cancelled.context)).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(memory.objects.size).toBe(0);
      expect(readdirSync(cancelled.context.tempDir)).toEqual([]);
    });
  }

  it('removes the artifact when cancelled while the list is stored', async () => {
    writeFileSync(path.join(source, 'a'), 'a');
    const put = memory.put.bind(memory);
    const holder: { abort?: () => void } = {};
    const storage: MemoryStorage = {
      ...memory,
      put(key, body, options) {
        if (key.endsWith('.contents')) holder.abort?.();
        return put(key, body, options);
      },
    };
    const late = createJobFixture({ storages: { s1: storage }, sources: sourceDrivers });
    holder.abort = () => late.abort.abort();
    await expect(runBackup(backupJob([source]), late.context)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(memory.objects.size).toBe(0);
  });

  it('takes a half restore back', async () => {
    for (let index = 0; index < 10; index += 1)
      writeFileSync(path.join(source, `f${index}`), Buffer.alloc(200_000, index));
    const artifact = artifactOf(await runBackup(backupJob([source], { compression: 'none' }), fixture.context));
    const get = memory.get.bind(memory);
    memory.get = async function* (key, options) {
      let count = 0;
      for await (const chunk of get(key, options)) {
        if (++count === 4) fixture.abort.abort();
        yield chunk;
      }
    };
    await expect(runRestore(restoreJob(artifact), fixture.context)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(path.join(root, 'out'))).toBe(false);
  });
});

describe('damaged artifacts', () => {
  const damages: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
    'a flipped byte in the middle': (bytes) => flip(bytes, Math.floor(bytes.length / 2)),
    'a flipped byte at the start': (bytes) => flip(bytes, 0),
    'a flipped last byte': (bytes) => flip(bytes, bytes.length - 1),
    'a cut-off end': (bytes) => bytes.slice(0, bytes.length - 700),
    'something behind its end': (bytes) => new Uint8Array([...bytes, 0]),
    'nothing in it': () => new Uint8Array(0),
  };
  for (const compression of ['none', 'zstd'] as const) {
    for (const [name, damage] of Object.entries(damages)) {
      it(`refuses one with ${name} (${compression}) and changes nothing`, async () => {
        writeFileSync(path.join(source, 'a'), Buffer.alloc(100_000, 'stored'));
        writeFileSync(path.join(source, 'b'), 'stored');
        mkdirSync(path.join(source, 'folder'));
        const artifact = artifactOf(await runBackup(backupJob([source], { compression }), fixture.context));
        memory.objects.set(artifact.storagePath, damage(memory.objects.get(artifact.storagePath) ?? new Uint8Array(0)));
        rmSync(path.join(source, 'b'));
        rmSync(path.join(source, 'folder'), { recursive: true });
        writeFileSync(path.join(source, 'a'), 'mine');
        utimesSync(source, 5, 5);
        const before = describeTree(source);
        const job = restoreJob(artifact, { targetPath: null, overwrite: 'always' });
        await expect(runRestore(job, fixture.context)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
        utimesSync(source, 5, 5);
        expect(treeDifferences(before, describeTree(source))).toEqual([]);
      });
    }
  }
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}

describe('several roots', () => {
  it('stores paths inside one another once and keeps a followed root under its own name', async () => {
    mkdirSync(path.join(source, 'in'));
    writeFileSync(path.join(source, 'in', 'a'), 'a');
    symlinkSync(source, path.join(root, 'alias'));
    const both = await runBackup(backupJob([source, path.join(source, 'in')]), fixture.context);
    expect(both.itemCount).toBe(3);
    const alias = path.join(root, 'alias');
    const result = await runBackup(backupJob([alias]), fixture.context);
    expect(result.itemCount).toBe(3);
    expect(fixture.logs.join()).toContain('is followed');
    const job = restoreJob(artifactOf(result), { source: { type: 'file', config: { paths: [alias] } } });
    await runRestore(job, fixture.context);
    expect(existsSync(path.join(root, 'out', 'alias', 'in', 'a'))).toBe(true);
  });
});
