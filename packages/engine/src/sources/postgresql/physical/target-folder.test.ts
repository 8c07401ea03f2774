import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { placeOf } from './entry-paths.ts';
import { assertTablespaceFree } from './target-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'target-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const check = (location: string) => () =>
  assertTablespaceFree(location, { major: '15', dataFolder: join(folder, 'data'), mayReplace: true });

it('takes no folder of others for a tablespace, wherever a backup says that it lay', () => {
  writeFileSync(join(folder, 'passwd'), '');
  expect(check(folder)).toThrow(expect.objectContaining({ code: 'RESTORE_TARGET_INVALID' }));
  expect(check('/etc')).toThrow(expect.objectContaining({ code: 'RESTORE_TARGET_INVALID' }));
  expect(check('relative')).toThrow(expect.objectContaining({ code: 'RESTORE_TARGET_INVALID' }));
});

it('takes a new or empty folder, and one with tablespaces of other versions', () => {
  expect(check(join(folder, 'new'))).not.toThrow();
  for (const name of ['lost+found', 'PG_14_202107181']) mkdirSync(join(folder, name));
  expect(check(folder)).not.toThrow();
  mkdirSync(join(folder, 'PG_15_202209061'));
  expect(check(folder)).toThrow(expect.objectContaining({ code: 'DATABASE_EXISTS' }));
});

it('knows nothing of a tablespace but what a server makes in it', () => {
  const path = (text: string) => placeOf(Buffer.from(`/postgresql-physical/tablespaces/${text}`))?.path ?? null;
  expect(path('16384')).toBe('pg_tblspc/16384');
  expect(path('16384/PG_15_202209061/5/16385')).toBe('pg_tblspc/16384/PG_15_202209061/5/16385');
  expect(path('16384/passwd')).toBeNull();
  expect(path('16384/../x')).toBeNull();
  expect(path('../data/pg_tblspc')).toBeNull();
  expect(placeOf(Buffer.from('/postgresql-physical/data/pg_tblspc'))?.path).toBe('pg_tblspc');
  expect(placeOf(Buffer.from('/postgresql-physical/data/pg_tblspc/16384/passwd'))).toBeNull();
});
