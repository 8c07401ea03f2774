import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { programsForBackup } from './base-backup.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'backupx-base-backup-'));
});
afterEach(() => rmSync(place, { recursive: true }));

/** Installed programs of a version, pg_basebackup among them or not. */
function installed(major: number, has: boolean) {
  const folder = path.join(place, `${major}-${has}`);
  mkdirSync(folder);
  if (has) writeFileSync(path.join(folder, 'pg_basebackup'), '', { mode: 0o755 });
  return { folder, version: `${major}.1`, major };
}
const server = { major: 15, version: '15.18' };

it('takes pg_basebackup of exactly the version of the server', () => {
  const right = installed(15, true);
  expect(programsForBackup([installed(14, true), installed(15, false), right, installed(16, true)], server)).toBe(
    right,
  );
});

it('says that it is missing where only the other programs are there', () => {
  const missing = expect.objectContaining({
    code: 'DATABASE_TOOL_MISSING',
    params: { tool: 'pg_basebackup', package: 'postgresql-client-15' },
  });
  const [without, newer] = [installed(15, false), installed(16, true)];
  expect(() => programsForBackup([without], server)).toThrow(missing);
  expect(() => programsForBackup([without, newer], server)).toThrow(missing);
  expect(() => programsForBackup([installed(14, false)], server)).toThrow(missing);
});

it('names the nearest one of another version', () => {
  const [older, newer, newest] = [installed(14, true), installed(16, true), installed(17, true)];
  const mismatch = (toolVersion: string) =>
    expect.objectContaining({
      code: 'DATABASE_TOOL_MISMATCH',
      params: { tool: 'pg_basebackup', toolVersion, serverVersion: '15.18', package: 'postgresql-client-15' },
    });
  expect(() => programsForBackup([older, newer, newest], server)).toThrow(mismatch('16.1'));
  expect(() => programsForBackup([older], server)).toThrow(mismatch('14.1'));
});
