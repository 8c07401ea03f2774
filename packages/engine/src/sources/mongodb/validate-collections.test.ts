import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeMongo, failure } from '../../testing/fake-mongo.ts';
import { MongodbConnection } from './connection.ts';
import { configSchema } from './settings.ts';
import { validateCollections } from './validate-collections.ts';

let folder: string;
let fake: FakeMongo;
/** What is answered of a collection. */
let answers: Record<string, object>;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  answers = {};
  fake = await FakeMongo.start({
    onCommand({ name, body }) {
      if (name === 'listDatabases') return { ok: 1, databases: [] };
      return name === 'validate' ? (answers[String(body.validate)] ?? { ok: 1, valid: true, errors: [] }) : null;
    },
  });
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true });
});

async function validate(...names: string[]) {
  const [dbHost = '', port] = fake.address.split(':');
  const config = configSchema.parse({ dbHost, dbPort: Number(port), program: 'native' });
  const connection = await MongodbConnection.open(config, { tempDir: folder, signal: new AbortController().signal });
  const collections = names.map((name) => {
    const kind = name === 'view' ? ('view' as const) : ('collection' as const);
    return { name, kind, options: {} };
  });
  try {
    return await validateCollections(connection, 'shop', collections);
  } finally {
    await connection.close();
  }
}

it('has the server look through every collection, whole', async () => {
  expect(await validate('a', 'view', 'b')).toEqual({ count: 2, bad: [], refusal: null });
  const asked = fake.commands.filter(({ name }) => name === 'validate');
  expect(asked.map(({ db, body }) => [db, body.validate, body.full])).toEqual([
    ['shop', 'a', true],
    ['shop', 'b', true],
  ]);
});

it('tells what the server finds damaged', async () => {
  answers.a = { ok: 1, valid: false, errors: ['index by a has 2 entries too few', 'record 7 is damaged'] };
  answers.b = { ok: 1, valid: false };
  const { count, bad } = await validate('a', 'b', 'c');
  expect(count).toBe(3);
  expect(bad).toEqual([
    'a: index by a has 2 entries too few',
    'a: record 7 is damaged',
    'b: the server finds it damaged',
  ]);
});

it('takes a refusal for no damage, and another failure for no answer', async () => {
  answers.a = failure(13, 'not authorized on shop', 'Unauthorized');
  answers.b = failure(59, 'no such command', 'CommandNotFound');
  expect(await validate('a', 'b', 'c')).toEqual({
    ...{ count: 1, bad: [], refusal: expect.stringContaining('not authorized') },
  });
  answers.c = failure(8, 'disk on fire', 'UnknownError');
  await expect(validate('c')).rejects.toMatchObject({ code: 'DATABASE_TOOL_FAILED' });
});
