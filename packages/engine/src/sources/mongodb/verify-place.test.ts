import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import type { VerifyContext } from '../../ports/source.ts';
import { FakeMongo, failure } from '../../testing/fake-mongo.ts';
import { mongodbSource } from './mongodb-source.ts';
import type { ConnectionConfig } from './settings.ts';
import { VerifyPlace } from './verify-place.ts';

let folder: string;
let fake: FakeMongo;
/** What a database answers that is to be dropped. */
let onDrop: (database: string) => object | null;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  onDrop = () => null;
  fake = await FakeMongo.start({
    onCommand({ name, db }) {
      if (name === 'listDatabases') return { ok: 1, databases: [] };
      return name === 'dropDatabase' ? onDrop(db) : null;
    },
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await fake.stop();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

it('leaves nothing alive when a database of it cannot be dropped', async () => {
  // Each place that says it lives waits for its next word; such a wait keeps its thread alive.
  const sleep = vi.spyOn(systemClock, 'sleep');
  const place = await open();
  const names = [await place.take(0), await place.take(1)];
  onDrop = (database) => (database === names[0] ? failure(13, 'not authorized', 'Unauthorized') : null);
  await expect(place.close()).rejects.toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
  const waits = sleep.mock.calls.map(([, signal]) => signal?.aborted);
  expect(waits).toEqual([true, true]);
});

async function open(): Promise<VerifyPlace> {
  const [dbHost = '', port] = fake.address.split(':');
  const config = mongodbSource.config.parse({ dbHost, dbPort: Number(port), program: 'native' });
  const context: VerifyContext = {
    ...{ signal: new AbortController().signal, tempDir: folder, depth: 'deep', options: {}, log() {} },
  };
  return await VerifyPlace.open(config as ConnectionConfig, null, context);
}
