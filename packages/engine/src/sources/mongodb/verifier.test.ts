/** A deep proof on a server of bytes, which says of its own check what it is told to say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BSON } from 'mongodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BackupContext, RestoreEntry, VerifyContext } from '../../ports/source.ts';
import { FakeMongo, failure } from '../../testing/fake-mongo.ts';
import { mongodbSource } from './mongodb-source.ts';

let folder: string;
let fake: FakeMongo;
let onValidate: () => object;
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'backupx-mongodb-'));
  logged = [];
  fake = await FakeMongo.start({
    collections: { 'shop.a': { documents: [BSON.serialize({ _id: 1 })] }, 'shop.b': { documents: [] } },
    onCommand({ name }) {
      if (name === 'validate') return onValidate();
      if (name !== 'listDatabases') return null;
      const names = [...new Set(fake.namespaces.map((ns) => ns.split('.')[0]))];
      return { ok: 1, databases: names.map((one) => ({ name: one, sizeOnDisk: 10 })) };
    },
  });
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true });
});

async function verify() {
  const [dbHost = '', port] = fake.address.split(':');
  const place = { dbHost, dbPort: Number(port), program: 'native' };
  const config = mongodbSource.config.parse({ ...place, databases: ['shop'], withUsers: false });
  const common = { signal: new AbortController().signal, tempDir: folder };
  const log = (_: string, message: string) => void logged.push(message);
  const options = mongodbSource.restoreConfig?.parse(place) ?? {};
  const verifier = await mongodbSource.openVerifier?.(config, {
    ...common,
    ...{ depth: 'deep', options, log },
  } as VerifyContext);
  if (!verifier) throw new Error('no verifier');
  try {
    const backup = mongodbSource.entries(config, { ...common, log() {}, problem() {} } as unknown as BackupContext);
    for await (const entry of backup) {
      if (entry.content?.kind !== 'stream') continue;
      await verifier.write({ ...entry, content: entry.content.stream, segments: null } as unknown as RestoreEntry);
    }
    return (await verifier.finish()).map(({ name, ok, detail }) => `${name} ${ok ? 'good' : 'bad'}: ${detail}`);
  } finally {
    await verifier.close();
  }
}

it('has the server check what it has restored', async () => {
  onValidate = () => ({ ok: 1, valid: true, errors: [] });
  const checks = await verify();
  expect(checks.filter((text) => !text.includes(' good: '))).toEqual([]);
  expect(checks.at(-1)).toBe('engine good: validate found nothing wrong in 2 collections');
  onValidate = () => ({ ok: 1, valid: false, errors: ['an index lacks entries'] });
  expect((await verify()).at(-1)).toBe('engine bad: a: an index lacks entries; b: an index lacks entries');
});

it('says when the server does not', async () => {
  onValidate = () => failure(13, 'not authorized on it', 'Unauthorized');
  const checks = await verify();
  expect(checks.some((text) => text.startsWith('engine'))).toBe(false);
  expect(checks.filter((text) => !text.includes(' good: '))).toEqual([]);
  expect(logged.join()).toMatch(/shop: not all was checked by the server: .*not authorized/);
});
