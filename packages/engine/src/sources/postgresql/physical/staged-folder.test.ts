import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StagedFolder } from './staged-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'staged-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(text: string, at = folder): void {
  mkdirSync(at, { recursive: true });
  for (const name of ['PG_VERSION', text]) writeFileSync(join(at, name), text);
}
function replaced(): StagedFolder {
  put('old');
  const staged = new StagedFolder(folder, null);
  put('new', staged.scratch);
  staged.commit(0o700, () => true);
  expect(readFileSync(join(folder, 'PG_VERSION'), 'utf8')).toBe('new');
  return staged;
}

it('puts back what was there, until all places of a restore are new', () => {
  const staged = replaced();
  staged.takeBack();
  staged.discard();
  expect(readdirSync(folder).sort()).toEqual(['PG_VERSION', 'old']);
  expect(readFileSync(join(folder, 'PG_VERSION'), 'utf8')).toBe('old');
});

it('takes nothing back afterwards, also when what was replaced could not be removed', () => {
  const staged = replaced();
  staged.keep();
  staged.takeBack();
  staged.discard();
  expect(readFileSync(join(folder, 'PG_VERSION'), 'utf8')).toBe('new');
  const [aside = ''] = readdirSync(folder).filter((name) => name.startsWith('.backupx-old-'));
  expect(readdirSync(join(folder, aside)).sort()).toEqual(['PG_VERSION', 'old']);
});
