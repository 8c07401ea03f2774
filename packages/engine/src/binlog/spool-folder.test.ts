import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { SpoolFolder } from './spool-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'backupx-spool-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('keeps what was not stored', () => {
  const path = join(folder, 'kept');
  const first = SpoolFolder.take(path);
  writeFileSync(first.at('bin.000003'), 'x');
  first.release();
  expect(readdirSync(path)).toEqual(['bin.000003']);
});

it('belongs to one receiver, whose mark is there before it looks for others', () => {
  const path = join(folder, 'alone');
  const first = SpoolFolder.take(path);
  const marks = readdirSync(path);
  expect(() => SpoolFolder.take(path)).toThrow(expect.objectContaining({ code: 'DATABASE_IN_USE' }));
  expect(readdirSync(path)).toEqual(marks);
  first.release();
  // One that lives: the process that started us. One that is gone: none has this number.
  writeFileSync(join(path, `receiver-${process.ppid}.0.lock`), '');
  expect(() => SpoolFolder.take(path)).toThrow(expect.objectContaining({ code: 'DATABASE_IN_USE' }));
  expect(readdirSync(path)).toEqual([`receiver-${process.ppid}.0.lock`]);
  rmSync(join(path, `receiver-${process.ppid}.0.lock`));
  writeFileSync(join(path, 'receiver-4194305.0.lock'), '');
  SpoolFolder.take(path).release();
  expect(existsSync(join(path, 'receiver-4194305.0.lock'))).toBe(false);
});
