import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BSON } from 'mongodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeMongo, failure } from '../../testing/fake-mongo.ts';
import { inspectTarget } from './inspect-target.ts';
import { configSchema, restoreSchema } from './settings.ts';

let folder: string;
let fake: FakeMongo;
let onCurrentOp: () => object;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  fake = await FakeMongo.start({
    collections: { 'shop.a': { documents: [BSON.serialize({ _id: 1 })] } },
    onCommand({ name }) {
      if (name === 'currentOp') return onCurrentOp();
      return name === 'listDatabases' ? { ok: 1, databases: [{ name: 'shop', sizeOnDisk: 10 }] } : null;
    },
  });
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true });
});

async function inspect(rename: string[] = []) {
  const [dbHost = '', port] = fake.address.split(':');
  const config = configSchema.parse({ dbHost, dbPort: Number(port), program: 'native' });
  const context = { tempDir: folder, signal: new AbortController().signal, entries: ['/mongodb/shop/inventory.json'] };
  return await inspectTarget(config, { ...context, options: restoreSchema.parse({ rename }) });
}

const running = (more: object) => ({
  ...{ type: 'op', op: 'query', opid: 7, ns: 'shop.a', client: '10.0.0.7:5000', appName: 'till' },
  ...{ currentOpTime: '2026-05-01T10:00:05.000+00:00', microsecs_running: 5_000_000 },
  ...{ effectiveUsers: [{ user: 'ann', db: 'admin' }], ...more },
});

it('lists who works in a database that would be replaced, each client once', async () => {
  const others = [
    running({ opid: 8, op: 'getmore' }),
    running({ ns: 'shopping.a', client: '10.0.0.8:1' }),
    running({ ns: 'shop.a', client: undefined }),
    // Another restore, of which its journal tells.
    running({ ns: 'shop.backupx_new_0123abcd_a', client: '10.0.0.8:2' }),
  ];
  const routed = running({
    opid: 's1:9',
    client: undefined,
    client_s: '10.0.0.9:1',
    appName: undefined,
    effectiveUsers: [],
  });
  const own = () => running({ client: '10.0.0.8:3', appName: fake.clientNames.at(-1) });
  onCurrentOp = () => ({ ok: 1, inprog: [running({}), ...others, own(), routed] });
  const found = await inspect();
  const since = '2026-05-01T10:00:00.000Z';
  expect(found.databases).toEqual([
    {
      ...{ name: 'shop', exists: true, sizeBytes: 10 },
      sessions: [
        { id: '8', user: 'ann', address: '10.0.0.7:5000', program: 'till', since },
        { id: 's1:9', user: '', address: '10.0.0.9:1', program: 'query', since },
      ],
    },
  ]);
  expect(found.notes).toEqual([expect.stringContaining('belong to no database')]);
});

it('lists nobody where nothing would be replaced', async () => {
  onCurrentOp = () => ({ ok: 1, inprog: [running({ ns: 'copy.a' })] });
  expect(await inspect(['shop=copy'])).toMatchObject({
    databases: [{ name: 'copy', exists: false, sessions: [] }],
    notes: [],
  });
});

it('says so when it may not know', async () => {
  onCurrentOp = () => failure(13, 'not authorized on admin', 'Unauthorized');
  const found = await inspect();
  expect(found.databases).toMatchObject([{ name: 'shop', exists: true, sessions: [] }]);
  expect(found.notes).toEqual([expect.stringMatching(/^Who is connected is unknown: .*inprog/)]);
  onCurrentOp = () => failure(8, 'on fire', 'UnknownError');
  await expect(inspect()).rejects.toMatchObject({ code: 'DATABASE_TOOL_FAILED' });
});
