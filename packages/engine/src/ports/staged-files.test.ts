import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { processMark } from './process-mark.ts';
import { StagedFiles } from './staged-files.ts';

let root: string;
const modifiedAt = new Date('2026-01-02T03:04:05Z');
async function* text(content: string) {
  yield Buffer.from(content);
}
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'staged-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('puts files in place only at commit, and takes back what it made', async () => {
  const files = new StagedFiles(join(root, 'out'));
  await files.write(join(root, 'out/a/b'), text('x'), { modifiedAt });
  expect(readdirSync(join(root, 'out/a'))).not.toContain('b');
  files.commit();
  expect(readFileSync(join(root, 'out/a/b'), 'utf8')).toBe('x');
  const other = new StagedFiles(join(root, 'out'));
  await other.write(join(root, 'out/c/d'), text('y'), { modifiedAt });
  other.rollback();
  expect(readdirSync(join(root, 'out'))).toEqual(['a']);
  const elsewhere = new StagedFiles(join(root, 'new/out'));
  await elsewhere.write(join(root, 'new/out/a/b'), text('z'), { modifiedAt });
  elsewhere.rollback();
  expect(readdirSync(root)).toEqual(['out']);
});

it('says before it reads anything, and when it is done, that a folder is in the way', async () => {
  mkdirSync(join(root, 'a'));
  const files = new StagedFiles(root);
  const invalid = expect.objectContaining({ code: 'RESTORE_TARGET_INVALID' });
  expect(() => files.mayWrite(join(root, 'a'), modifiedAt, 'always')).toThrow(invalid);
  expect(files.mayWrite(join(root, 'a'), modifiedAt, 'never')).toBe(false);
  await files.write(join(root, 'b'), text('x'), { modifiedAt });
  mkdirSync(join(root, 'b'));
  expect(() => files.commit()).toThrow(invalid);
});

it('follows no link below its folder', async () => {
  mkdirSync(join(root, 'elsewhere'));
  mkdirSync(join(root, 'out'));
  symlinkSync(join(root, 'elsewhere'), join(root, 'out/link'));
  const writing = new StagedFiles(join(root, 'out')).write(join(root, 'out/link/a'), text('x'), { modifiedAt });
  await expect(writing).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
  expect(readdirSync(join(root, 'elsewhere'))).toEqual([]);
});

it('removes what a killed restore left in a folder, and nothing of one that runs', async () => {
  const kept = [`.backupx-restore-${processMark}-00ff`, '.backupx-restore-4194303.1-notes.txt', 'other'];
  for (const name of [...kept, '.backupx-restore-4194303.1-00ff']) writeFileSync(join(root, name), 'x');
  const files = new StagedFiles(root);
  await files.write(join(root, 'a'), text('y'), { modifiedAt });
  files.commit();
  expect(readdirSync(root).sort()).toEqual([...kept, 'a'].sort());
});
