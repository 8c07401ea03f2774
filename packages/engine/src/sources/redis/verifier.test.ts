import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { formatInventory } from '../../ports/database-inventory.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { makeRdb, rdbBytes, rdbKey, rdbText } from '../../testing/make-rdb.ts';
import { openRedisVerifier } from './verifier.ts';

const tempDir = mkdtempSync(path.join(tmpdir(), 'backupx-redis-verifier-'));
afterAll(() => rmSync(tempDir, { recursive: true }));

const entry = (name: string, content: Buffer) =>
  ({
    path: Buffer.from(`redis/${name}`),
    type: 'file',
    content: (async function* () {
      yield content;
    })(),
  }) as unknown as RestoreEntry;

/** Checks of a dump, as `name ok`, with the words for what is not. */
async function checksOf(dump: Buffer | null, keys: number): Promise<string[]> {
  const signal = new AbortController().signal;
  const verifier = openRedisVerifier({ signal, tempDir, depth: 'quick', options: {}, log: () => {} });
  try {
    if (dump) await verifier.write(entry('dump.rdb', dump));
    const objects = [{ kind: 'database', name: 'db0', rows: keys }];
    const common = { format: 1 as const, server: 'Redis', tool: 'stream', database: 'here', details: {} };
    await verifier.write(entry('inventory.json', Buffer.from(formatInventory({ ...common, objects }))));
    const checks = await verifier.finish();
    return checks.map(({ name, ok, detail }) => (ok ? `${name} ok` : `${name}: ${detail}`));
  } finally {
    await verifier.close();
  }
}

const dump = makeRdb(rdbBytes(0xfe, 0, rdbKey(0, rdbText('v')), rdbKey(0, rdbText('w'), 'l')));

it('proves a dump that is whole and has what its inventory names', async () => {
  expect(await checksOf(dump, 2)).toEqual(['structure ok', 'inventory ok']);
});

it('tells a dump that is not there, cut off, changed, or has fewer keys', async () => {
  expect(await checksOf(null, 2)).toEqual(['structure: there is no dump']);
  expect(await checksOf(dump.subarray(0, dump.length - 9), 2)).toEqual(['structure: it ends in the middle']);
  const changed = Buffer.from(dump.toString('latin1').replace('7.4.1', '7.4.2'), 'latin1');
  expect(await checksOf(changed, 2)).toEqual([expect.stringMatching(/^structure: .*checksum/)]);
  expect(await checksOf(dump, 3)).toEqual(['structure ok', expect.stringMatching(/^inventory: .*db0/)]);
  expect(readdirSync(tempDir)).toEqual([]);
});
