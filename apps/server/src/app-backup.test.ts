/**
 * The whole master with the real engine, SQLite on disk and a local folder as storage, asked as a script would:
 * target, task, run, look inside, restore, retention, cancel, kill.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine } from '@backupx/engine';
import type { Engine } from '@backupx/engine/ports/engine';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './connect-test-app.ts';

let folder: string;
let engine: Engine;
let app: TestApp;
let token: string;

interface Answer {
  id: number;
  status: string;
  items: Answer[];
  total: number;
  [key: string]: unknown;
}

async function openApp(): Promise<void> {
  engine = createEngine({ tempDir: join(folder, 'tmp') });
  app = await createTestApp({ engine, dataDir: join(folder, 'data') });
  await app.start();
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backupx-real-'));
  mkdirSync(join(folder, 'source', 'sub'), { recursive: true });
  mkdirSync(join(folder, 'storage'));
  writeFileSync(join(folder, 'source', 'a.txt'), 'alpha');
  writeFileSync(join(folder, 'source', 'sub', 'b.bin'), Buffer.alloc(300_000, 7));
  chmodSync(join(folder, 'source', 'a.txt'), 0o640);
  await openApp();
  token = await app.signUp();
});
afterEach(async () => {
  await app.stop();
  await engine.close(2000);
  rmSync(folder, { recursive: true, force: true });
});

async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, payload?: object) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await app.inject({ method, url: `/api${path}`, headers, ...(payload ? { payload } : {}) });
  const body = answer.json() as { data?: Answer };
  return { status: answer.statusCode, data: (body.data ?? body) as Answer };
}

async function ok(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, payload?: object): Promise<Answer> {
  const { status, data } = await call(method, path, payload);
  expect({ path, status, data }).toMatchObject({ path, status: 200 });
  return data;
}

async function createTask(more: object = {}): Promise<number> {
  const config = { basePath: join(folder, 'storage') };
  const target = await ok('POST', '/storage-targets', { name: 'disk', type: 'local_disk', config });
  const paths = { sourcePaths: [join(folder, 'source')], storageTargetIds: [target.id] };
  return (await ok('POST', '/backup/tasks', { name: 'Dokumente & mehr', type: 'file', ...paths, ...more })).id;
}

async function ended(path: string): Promise<Answer> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const record = await ok('GET', path);
    if (record.status !== 'running') return record;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} did not end`);
}

async function run(taskId: number): Promise<Answer> {
  const { id } = await ok('POST', `/backup/tasks/${taskId}/run`);
  const record = await ended(`/backup/records/${id}`);
  expect(record).toMatchObject({ status: 'success', errorMessage: '', problems: [] });
  return record;
}

const stored = () =>
  readdirSync(join(folder, 'storage'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

it('backs up a folder, encrypted, shows what is in it, restores it and removes it', async () => {
  const taskId = await createTask({ encrypt: true });
  const record = await run(taskId);
  expect(record.fileName).toMatch(/^Dokumente-mehr-\d{8}T\d{6}Z\.tar\.zst\.age$/);
  expect(record.storagePath).toBe(`Dokumente-mehr-${taskId}/r${record.id}/${record.fileName}`);
  expect(record.checksum).toMatch(/^[0-9a-f]{64}$/);
  expect(record.logContent).toMatch(/ INFO /);

  const url = `/backup/records/${record.id}`;
  const search = (await ok('GET', `${url}/contents?q=b.bin`)) as unknown as { entries: { path: string }[] };
  expect(search.entries.map((entry) => entry.path)).toEqual([join(folder, 'source', 'sub', 'b.bin')]);

  const out = join(folder, 'out');
  const restore = await ok('POST', `${url}/restore`, { targetPath: out });
  const restored = await ended(`/restore/records/${restore.id}`);
  expect(restored).toMatchObject({ status: 'success', requestedBy: 'admin' });
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map((entry) => entry.name).toSorted()).toEqual(['a.txt', 'b.bin']);
  const copy = files.find((entry) => entry.name === 'a.txt');
  expect(readFileSync(join(copy?.parentPath ?? '', 'a.txt'), 'utf8')).toBe('alpha');

  const headers = { authorization: `Bearer ${token}` };
  const raw = await app.inject({ method: 'GET', url: `/api${url}/download`, headers });
  expect(raw.rawPayload.length).toBe(record.fileSize);
  expect(raw.rawPayload.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
  const opened = await app.inject({ method: 'GET', url: `/api${url}/download?decrypt=true`, headers });
  expect(opened.headers['content-disposition']).toMatch(/\.tar\.zst"/);
  expect(opened.rawPayload.readUInt32LE(0)).toBe(0xfd2fb528);

  await ok('DELETE', url);
  expect(stored()).toEqual([]);
});

it('applies retention to artifacts', async () => {
  const taskId = await createTask({ maxBackups: 1 });
  const first = await run(taskId);
  const second = await run(taskId);
  await expect.poll(async () => (await call('GET', `/backup/records/${first.id}`)).status).toBe(404);
  expect(stored().map((entry) => entry.name.replace('.contents', ''))).toEqual([second.fileName, second.fileName]);
});

it('fails clearly when the source is missing or the artifact damaged', async () => {
  const taskId = await createTask();
  const record = await run(taskId);
  const artifact = join(folder, 'storage', record.storagePath as string);
  const bytes = readFileSync(artifact);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  chmodSync(artifact, 0o600);
  writeFileSync(artifact, bytes);
  const restore = await ok('POST', `/backup/records/${record.id}/restore`, { targetPath: join(folder, 'out') });
  expect(await ended(`/restore/records/${restore.id}`)).toMatchObject({
    status: 'failed',
    errorCode: 'ARTIFACT_DAMAGED',
  });

  rmSync(join(folder, 'source'), { recursive: true });
  const { id } = await ok('POST', `/backup/tasks/${taskId}/run`);
  const failed = await ended(`/backup/records/${id}`);
  expect(failed).toMatchObject({ status: 'failed', errorCode: 'SOURCE_NOT_FOUND' });
  expect(failed.errorHint).not.toBe('');
});

/** Sparse files read as fast as memory, incompressible ones do not exist here; size makes the run long enough. */
function makeLongSource(): void {
  for (let index = 0; index < 3000; index += 1)
    writeFileSync(join(folder, 'source', `f${index}`), `${index}`.repeat(4000));
}

it('cancels a running backup and leaves nothing in the storage', async () => {
  makeLongSource();
  const taskId = await createTask({ compression: 'gzip' });
  const { id } = await ok('POST', `/backup/tasks/${taskId}/run`);
  await ok('POST', `/backup/records/${id}/cancel`);
  expect(await ended(`/backup/records/${id}`)).toMatchObject({ status: 'cancelled', errorCode: 'CANCELLED' });
  expect(stored()).toEqual([]);
});

it('interrupts at a stop and runs again after the next start', async () => {
  makeLongSource();
  const taskId = await createTask({ compression: 'gzip' });
  const { id } = await ok('POST', `/backup/tasks/${taskId}/run`);
  await app.stop();
  await engine.close(2000);
  await openApp();
  expect(await ok('GET', `/backup/records/${id}`)).toMatchObject({ status: 'interrupted' });
  await run(taskId);
  expect(existsSync(join(folder, 'storage'))).toBe(true);
});
