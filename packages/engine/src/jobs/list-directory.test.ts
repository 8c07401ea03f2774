import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJobFixture, type JobFixture } from '../testing/job-fixture.ts';
import { listDirectory } from './list-directory.ts';

let root: string;
let fixture: JobFixture;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-list-'));
  fixture = createJobFixture({ storages: {}, sources: [] });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});
const list = (folder: string) => listDirectory({ kind: 'list_directory', path: folder }, fixture.context);

describe('listDirectory', () => {
  it('lists folders first, follows links to folders, shows odd names so that they lead back', async () => {
    mkdirSync(path.join(root, 'z-folder'));
    writeFileSync(path.join(root, 'a-file'), '12345');
    symlinkSync('z-folder', path.join(root, 'link'));
    symlinkSync('nowhere', path.join(root, 'dangling'));
    const odd = Buffer.concat([Buffer.from(`${root}/odd-`), Buffer.from([0xff])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from('/inside')]), '');
    const { entries, truncated } = await list(`${root}/`);
    expect(truncated).toBeUndefined();
    expect(entries.map((entry) => [entry.name, entry.isDir])).toEqual([
      ['link', true],
      ['odd-\\xff', true],
      ['z-folder', true],
      ['a-file', false],
      ['dangling', false],
    ]);
    expect(entries[3]).toMatchObject({ path: path.join(root, 'a-file'), size: 5 });
    expect((await list(entries[1]?.path ?? '')).entries.map((entry) => entry.name)).toEqual(['inside']);
    expect((await list('')).entries.some((entry) => entry.path === '/tmp')).toBe(true);
  });

  it('cuts off at 5,000 entries and says so', async () => {
    for (let index = 0; index < 5001; index += 1) writeFileSync(path.join(root, `f${index}`), '');
    const result = await list(root);
    expect(result.entries).toHaveLength(5000);
    expect(result.truncated).toBe(true);
  });

  it('says what is wrong with a path', async () => {
    writeFileSync(path.join(root, 'file'), '');
    await expect(list(path.join(root, 'nowhere'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(list(path.join(root, 'file'))).rejects.toMatchObject({ code: 'PATH_NOT_DIRECTORY' });
    await expect(list('relative')).rejects.toMatchObject({ code: 'PATH_INVALID' });
    await expect(list('/a\0b')).rejects.toMatchObject({ code: 'PATH_INVALID' });
  });
});
