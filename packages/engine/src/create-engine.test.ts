import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { getPriority, tmpdir } from 'node:os';
import path from 'node:path';
import type { JobProgress, JobTarget, RunBackupJob, RunRestoreJob } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEngine } from './create-engine.ts';
import type { Engine } from './ports/engine.ts';
import { silentReporter } from './ports/reporter.ts';
import { describeTree, makeOddTree, treeDifferences } from './testing/file-tree.ts';
import { artifactOf, backupJob } from './testing/job-fixture.ts';

let root: string;
let source: string;
let store: string;
let engine: Engine;
let target: JobTarget;
const never = new AbortController().signal;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-engine-'));
  source = path.join(root, 'data');
  store = path.join(root, 'store');
  mkdirSync(source);
  mkdirSync(store);
  engine = createEngine({ tempDir: path.join(root, 'temp') });
  target = { id: 1, name: 'disk', type: 'local_disk', config: { basePath: store }, viaMaster: false };
});
afterEach(async () => {
  await engine.close(5_000);
  rmSync(root, { recursive: true, force: true });
});

const job = (more: Partial<RunBackupJob> = {}) => backupJob([source], { targets: [target], ...more });

/** Names of all files below the store. */
function storedFiles(): string[] {
  const names = readdirSync(store, { recursive: true, withFileTypes: true });
  return names.filter((item) => item.isFile()).map((item) => item.name);
}

describe('the engine in threads', () => {
  it('backs up, verifies and restores an odd tree, encrypted', async () => {
    makeOddTree(source);
    writeFileSync(path.join(source, 'large'), Buffer.alloc(20_000_000, 'large'));
    const key = await engine.createEncryptionKey();
    const progress: JobProgress[] = [];
    const reporter = { ...silentReporter, progress: (item: JobProgress) => progress.push(item) };
    const encrypted = job({ encryption: { recipients: [key.recipient] } });
    const result = await engine.run(encrypted, { reporter, signal: never });
    expect(result.status).toBe('success');
    expect(progress.at(-1)).toMatchObject({ phase: 'done', percent: 100, itemsDone: result.itemCount });
    const artifact = artifactOf(result, target, { identities: [key.identity] });
    const restore: RunRestoreJob = {
      kind: 'run_restore',
      restoreRecordId: 1,
      recordId: 7,
      taskName: 'test',
      source: encrypted.source,
      artifact,
      targetPath: path.join(root, 'out'),
      paths: null,
      overwrite: 'never',
    };
    await engine.run(restore, { reporter: silentReporter, signal: never });
    expect(treeDifferences(describeTree(source), describeTree(path.join(root, 'out', 'data')))).toEqual([]);
    const wrongKey = await engine.createEncryptionKey();
    const wrong = { ...restore, artifact: { ...artifact, encryption: { identities: [wrongKey.identity] } } };
    await expect(engine.run(wrong, { reporter: silentReporter, signal: never })).rejects.toMatchObject({
      code: 'ARTIFACT_KEY_WRONG',
    });
  });

  it('carries errors of the threads with code and parameters', async () => {
    rmSync(source, { recursive: true });
    await expect(engine.run(job(), { reporter: silentReporter, signal: never })).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      params: { path: source },
    });
  });

  it('stops soon after cancel and leaves nothing, and answers questions meanwhile', async () => {
    for (let index = 0; index < 8; index += 1) {
      writeFileSync(path.join(source, `f${index}`), Buffer.alloc(8_000_000, index));
    }
    const abort = new AbortController();
    const slow = job({ compression: 'none', bandwidthBytesPerSecond: 4_000_000 });
    const running = engine.run(slow, { reporter: silentReporter, signal: abort.signal });
    const outcome = expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const listing = engine.run({ kind: 'list_directory', path: source }, { reporter: silentReporter, signal: never });
    expect((await listing).entries).toHaveLength(8);
    abort.abort();
    await outcome;
    expect(storedFiles()).toEqual([]);
  });

  it('closes with everything cancelled', async () => {
    writeFileSync(path.join(source, 'a'), Buffer.alloc(20_000_000));
    const slow = job({ compression: 'none', bandwidthBytesPerSecond: 1_000_000 });
    const running = engine.run(slow, { reporter: silentReporter, signal: never });
    const outcome = expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await engine.close(10_000);
    await outcome;
    expect(storedFiles()).toEqual([]);
    await expect(engine.run(job(), { reporter: silentReporter, signal: never })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

describe('a killed process', () => {
  it('leaves no artifact, and its temporary folder is cleared by the next engine', async () => {
    writeFileSync(path.join(source, 'a'), Buffer.alloc(30_000_000));
    const tempDir = path.join(root, 'temp');
    const script = path.join(root, 'child.mjs');
    const entry = new URL('./create-engine.ts', import.meta.url).href;
    const slow = job({ compression: 'none', bandwidthBytesPerSecond: 5_000_000 });
    writeFileSync(
      script,
      `import { createEngine } from ${JSON.stringify(entry)};
      const engine = createEngine({ tempDir: ${JSON.stringify(tempDir)} });
      const reporter = { log() {}, progress: (p) => { if (p.bytesStored > 0) process.send('storing'); } };
      await engine.run(${JSON.stringify(slow)}, { reporter, signal: new AbortController().signal });`,
    );
    const child = fork(script);
    await new Promise((resolve) => child.once('message', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(storedFiles().filter((name) => name.startsWith('backup.'))).toEqual([]);
    const before = readdirSync(tempDir).length;
    await createEngine({ tempDir }).close(0);
    expect(before).toBe(2);
    expect(readdirSync(tempDir)).toHaveLength(1);
    const result = await engine.run(job(), { reporter: silentReporter, signal: never });
    expect(existsSync(path.join(store, result.storagePath))).toBe(true);
  });
});

describe('memory', () => {
  it('does not grow with the number of files', async () => {
    for (let folder = 0; folder < 40; folder += 1) {
      mkdirSync(path.join(source, `d${folder}`));
      for (let file = 0; file < 1000; file += 1) writeFileSync(path.join(source, `d${folder}`, `file-${file}`), '');
    }
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 50);
    const result = await engine.run(job(), { reporter: silentReporter, signal: never });
    clearInterval(timer);
    expect(result.itemCount).toBe(40_041);
    expect((peak - before) / 1e6).toBeLessThan(350);
  }, 180_000);
});

describe('settings', () => {
  it('fills in defaults and names wrong fields', () => {
    expect(engine.parseSettings('source', 'file', { paths: ['/a'] })).toEqual({
      paths: ['/a'],
      excludePatterns: [],
      oneFileSystem: false,
    });
    expect(() => engine.parseSettings('source', 'file', { paths: ['a'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', fields: [expect.objectContaining({ path: 'config.paths.0' })] }),
    );
    expect(() => engine.parseSettings('storage', 'floppy', {})).toThrow(
      expect.objectContaining({ code: 'STORAGE_TYPE_UNKNOWN' }),
    );
    expect(engine.manifests.sources.map((manifest) => manifest.type)).toContain('file');
  });
});

it('calls a storage that is down as often as it was told to', async () => {
  let calls = 0;
  const server = http.createServer((_request, response) => {
    calls += 1;
    response.statusCode = 503;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = { endpoint: `http://127.0.0.1:${port}`, bucket: 'bucket', accessKeyId: 'a', secretAccessKey: 's' };
  const s3 = { id: 2, name: 's3', type: 's3', config, viaMaster: false };
  try {
    const callsOf: number[] = [];
    for (const storageAttempts of [1, 2]) {
      calls = 0;
      const own = createEngine({ tempDir: path.join(root, 'own'), storageAttempts });
      const deleting = own.run(
        { kind: 'delete_objects', target: s3, keys: ['k'] },
        { reporter: silentReporter, signal: never },
      );
      await expect(deleting).rejects.toMatchObject({ retryable: true });
      callsOf.push(calls);
      await own.close(1000);
    }
    // Each of our attempts is several of the SDK's.
    expect(callsOf).toEqual([expect.any(Number), 2 * (callsOf[0] ?? 0)]);
    expect(callsOf[0]).toBeGreaterThan(0);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

it('waits for a storage that is away where a run would be lost, and tells a person at once', async () => {
  let away = 0;
  const server = http.createServer((_request, response) => {
    away -= 1;
    response.statusCode = away >= 0 ? 503 : 404;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const own = createEngine({ tempDir: path.join(root, 'own'), storageAttempts: 1, storagePatienceMs: 600_000 });
  const target = { id: 2, name: 'rest', type: 'rest', config: { url: `http://127.0.0.1:${port}/` }, viaMaster: false };
  const repository = { id: 0, target, prefix: '', unlock: { password: 'x' }, leaseId: 0, condemnedPacks: [] };
  const logs: string[] = [];
  const reporter = { ...silentReporter, log: (level: string, message: string) => logs.push(`${level}: ${message}`) };
  try {
    away = 2;
    const question = { kind: 'find_in_repository', repository, pattern: 'x', snapshotIds: null, limit: 1 } as const;
    await expect(own.run(question, { reporter, signal: never })).rejects.toMatchObject({ code: 'STORAGE_UNREACHABLE' });
    expect(logs).toEqual([]);
    away = 2;
    const check = { kind: 'check_repository', repository, read: 'structure' } as const;
    await expect(own.run(check, { reporter, signal: never })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
    expect(logs).toEqual([expect.stringMatching(/^warn: rest: .* Trying again for up to 10 minutes\.$/)]);
    // A cancelled one does not wait.
    away = Number.POSITIVE_INFINITY;
    const abort = new AbortController();
    const waiting = own.run(check, {
      reporter: { ...silentReporter, log: () => abort.abort() },
      signal: abort.signal,
    });
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  } finally {
    await own.close(1000);
    server.closeAllConnections();
    server.close();
  }
});

/** Niceness of each thread of this process. */
function niceOfThreads(): number[] {
  return readdirSync('/proc/self/task').flatMap((id) => {
    try {
      // After the name, which may hold anything: state is the first field, niceness the seventeenth.
      const fields = readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return [Number(fields[16])];
    } catch {
      return []; // It has ended.
    }
  });
}

const mayBeLowered = process.platform === 'linux' && getPriority() < 7;

it.runIf(mayBeLowered)('lets others go before a backup, in its threads alone', async () => {
  writeFileSync(path.join(source, 'file'), Buffer.alloc(3_000_000, 'x'));
  const own = createEngine({ tempDir: path.join(root, 'own'), nice: 7 });
  const abort = new AbortController();
  const seen: number[] = [];
  const log = () => {
    seen.push(...niceOfThreads());
    abort.abort();
  };
  try {
    expect(niceOfThreads()).not.toContain(7);
    // At this speed it would take an hour.
    const slow = job({ bandwidthBytesPerSecond: 10, compression: 'none' });
    const running = own.run(slow, { reporter: { ...silentReporter, log }, signal: abort.signal });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(seen).toContain(7);
    await vi.waitFor(() => expect(niceOfThreads()).not.toContain(7), 10_000);
  } finally {
    await own.close(1000);
  }
});
