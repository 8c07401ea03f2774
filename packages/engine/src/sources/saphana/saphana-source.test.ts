import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { formatInventory } from '../../ports/database-inventory.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { makeBackupFolder } from './backup-folder.ts';
import { hanaConfigSchema } from './config.ts';
import { folderNameOf, placeOf } from './entry-paths.ts';
import { missingFiles } from './read-inventory.ts';
import { recoveryGuide } from './recovery-guide.ts';
import { backupStatement } from './statements.ts';
import { openHanaVerifier } from './verifier.ts';

it('puts the kind before the database, and quotes names and texts', () => {
  const common = { prefix: 'p', comment: 'c' };
  expect(backupStatement({ ...common, database: 'SYSTEMDB', kind: 'complete', folder: '/b' })).toBe(
    "BACKUP DATA USING FILE ('/b/', 'p') COMMENT 'c'",
  );
  expect(backupStatement({ ...common, database: 'a"b', kind: 'incremental', folder: "/it's" })).toBe(
    "BACKUP DATA INCREMENTAL FOR \"a\"\"b\" USING FILE ('/it''s/', 'p') COMMENT 'c'",
  );
  expect(backupStatement({ ...common, database: 'T', kind: 'differential', folder: null })).toBe(
    "BACKUP DATA DIFFERENTIAL FOR \"T\" USING BACKINT ('p') COMMENT 'c'",
  );
});

it('takes only keys that cannot be taken for an option', () => {
  const isKey = (userStoreKey: string) => hanaConfigSchema.safeParse({ userStoreKey }).success;
  expect(['BACKUPX', 'A.b-c:1', '-n', 'a b', ''].map(isKey)).toEqual([true, true, false, false, false]);
});

it('makes folders of any name, and takes only paths of its own layout', () => {
  expect(['HDB', 'a/b', '%', '..'].map(folderNameOf)).toEqual(['HDB', 'a%2Fb', '%25', '%2E.']);
  expect(placeOf(Buffer.from('saphana/HDB/x'))).toEqual({ folder: 'HDB', file: 'x' });
  for (const other of ['/saphana/HDB', '/saphana/../x', '/saphana/HDB/..', '/saphana/a/b/c', '/other/a/b']) {
    expect(placeOf(Buffer.from(other)), other).toBe(null);
  }
});

it('removes what a thread that is gone has left, and nothing else', () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'backupx-hana-'));
  const own = makeBackupFolder(parent, null);
  for (const name of ['backupx-run-1.999999999.5-abc', `backupx-run-${process.pid}.${process.pid}.1-abc`, 'other']) {
    mkdirSync(path.join(parent, name));
  }
  const second = makeBackupFolder(parent, null);
  expect(readdirSync(parent).sort()).toEqual([path.basename(own), path.basename(second), 'other'].sort());
  rmSync(parent, { recursive: true });
});

const inventory = {
  ...{ format: 1 as const, server: 'SAP HANA 2', tool: 'hdbsql', database: 'HDB' },
  objects: [
    { kind: 'file', name: 'a' },
    { kind: 'backint', name: '/x' },
  ],
  details: {
    'bytes of a': '5',
    kind: 'complete data backup',
    backupId: '7',
    prefix: 'p',
    endedAt: 'then',
    method: 'file',
  },
};

it('misses files that are not there or short', () => {
  expect(missingFiles(inventory, new Map())).toEqual(['a is missing']);
  expect(missingFiles(inventory, new Map([['a', 4]]))).toEqual(['a has 4 of 5 bytes']);
  expect(missingFiles(inventory, new Map([['a', 5]]))).toEqual([]);
});

it('is not proven without its inventory, or with a file that is missing or short', async () => {
  const entry = (name: string, text: string) =>
    ({
      path: Buffer.from(`saphana/HDB/${name}`),
      content: (async function* () {
        yield Buffer.from(text);
      })(),
    }) as unknown as RestoreEntry;
  const checksOf = async (files: Record<string, string>) => {
    const verifier = openHanaVerifier();
    for (const [name, text] of Object.entries(files)) await verifier.write(entry(name, text));
    return await verifier.finish();
  };
  const check = { subject: 'HDB', name: 'structure' };
  const known = { 'inventory.json': formatInventory(inventory) };
  expect(await checksOf({ a: '12345', ...known })).toMatchObject([{ ...check, ok: true }]);
  expect(await checksOf({ a: '1234', ...known })).toEqual([{ ...check, ok: false, detail: 'a has 4 of 5 bytes' }]);
  expect(await checksOf(known)).toEqual([{ ...check, ok: false, detail: 'a is missing' }]);
  expect(await checksOf({ a: '12345' })).toEqual([{ ...check, ok: false, detail: 'its inventory is missing' }]);
});

it('recovers SYSTEMDB with the system stopped, by the script, quoted for the shell', () => {
  const guide = recoveryGuide({ ...inventory, database: 'SYSTEMDB' }, '/b/SYSTEMDB');
  expect(guide).toContain(
    "HDBSettings.sh recoverSys.py --command 'RECOVER DATA USING FILE ('\\''/b/SYSTEMDB/'\\'', '\\''p'\\'') CLEAR LOG'",
  );
});
