/** The engine's looking thread: several questions at once, streams that are left early or cancelled, and its end. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { RepositoryAccess } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEngine } from './create-engine.ts';
import type { Engine, SnapshotStreamRequest } from './ports/engine.ts';
import { silentReporter } from './ports/reporter.ts';
import { backupJob } from './testing/job-fixture.ts';

let root: string;
let engine: Engine;
let repository: RepositoryAccess;
const content = Buffer.from(Array.from({ length: 20_000_000 }, (_, index) => (index * index) >> 7));
const run = { reporter: silentReporter, signal: new AbortController().signal };

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-look-'));
  mkdirSync(path.join(root, 'data'));
  writeFileSync(path.join(root, 'data', 'large'), content);
  engine = createEngine({ tempDir: path.join(root, 'temp') });
  const basePath = path.join(root, 'repository');
  repository = {
    id: 0,
    target: { id: 1, name: 'disk', type: 'local_disk', config: { basePath }, viaMaster: false },
    prefix: '',
    unlock: { password: 'secret' },
    leaseId: 0,
    condemnedPacks: [],
  };
  const { target, prefix } = repository;
  const init = { target, prefix, password: 'secret', chunkerPolynomial: null, id: 0, adopt: false, hostname: 'here' };
  await engine.run({ kind: 'init_repository', ...init }, run);
  const snapshot = { hostname: 'here', tags: [], parentId: null, dryRun: false };
  await engine.run(backupJob([path.join(root, 'data')], { repositories: [repository], snapshot }), run);
});
afterEach(async () => {
  await engine.close(5_000);
  rmSync(root, { recursive: true, force: true });
});

const large = () => path.join(root, 'data', 'large');
const stream = (more: Partial<SnapshotStreamRequest> = {}, signal = run.signal) =>
  engine.openSnapshotStream({ repository, snapshotId: 'latest', path: large(), format: 'raw', ...more }, signal);

function browse(folder: string, signal = run.signal) {
  const artifact = {
    ...{ target: repository.target, storagePath: '', contentsPath: null, fileName: '' },
    ...{ checksum: null, fileSize: null, encryption: null },
    snapshot: { repository, snapshotId: 'latest' },
  };
  const query = { path: folder, search: null, offset: 0, limit: 10 };
  return engine.run({ kind: 'browse_artifact', artifact, ...query }, { reporter: silentReporter, signal });
}

function locks(): string[] {
  const names = readdirSync(path.join(root, 'repository'), { recursive: true }) as string[];
  return names.filter((name) => name.startsWith(`locks${path.sep}`));
}

it('answers while it streams; every request gets its own answer', async () => {
  const [whole, tar, ...pages] = await Promise.all([
    buffer(stream()),
    buffer(stream({ format: 'tar', path: null })),
    browse(path.join(root, 'data')),
    browse(''),
    browse('/nope').catch((error: unknown) => error),
  ]);
  expect(whole.equals(content)).toBe(true);
  expect(tar.includes(content.subarray(5_000_000, 5_100_000))).toBe(true);
  expect(pages).toMatchObject([{ entries: [{ name: 'large', size: content.byteLength }] }, { total: 1 }, {}]);
  expect(pages[2]).toMatchObject({ code: 'PATH_NOT_FOUND' });
});

it('clears up after a reader that leaves early, and goes on', async () => {
  for await (const chunk of stream()) {
    expect(chunk.byteLength).toBeGreaterThan(0);
    break;
  }
  expect(locks()).toEqual([]);
  expect((await buffer(stream())).equals(content)).toBe(true);
});

it('does not run ahead of a slow reader', async () => {
  const chunks = stream()[Symbol.asyncIterator]();
  await chunks.next();
  const before = process.memoryUsage().arrayBuffers;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  // Chunks have a megabyte on average, at most eight.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(15_000_000);
  await chunks.return?.();
});

it('cancels streams and questions', async () => {
  const abort = new AbortController();
  const reading = (async () => {
    for await (const _ of stream({}, abort.signal)) abort.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(locks()).toEqual([]);
  await expect(browse('', AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(await browse('')).toMatchObject({ total: 1 });
});

it('ends with the engine, streams included', async () => {
  const reading = buffer(stream({ format: 'tar', path: null })).catch((error: unknown) => error);
  await browse('');
  await engine.close(5_000);
  expect(await reading).toMatchObject({ code: 'CANCELLED' });
  expect(locks()).toEqual([]);
  await expect(browse('')).rejects.toMatchObject({ code: 'CANCELLED' });
});
