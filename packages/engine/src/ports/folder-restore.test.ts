import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FolderRestore } from './folder-restore.ts';
import type { RestoreContext, RestoreEntry } from './source.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mysql-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const context = (more: Partial<RestoreContext> = {}): RestoreContext => ({
  ...{ signal: new AbortController().signal, targetPath: folder, paths: null, overwrite: 'never', tempDir: folder },
  ...{ options: {}, problem() {}, log() {}, progress() {}, ...more },
});

function entry(path: string, text: string, breaksAt = Number.POSITIVE_INFINITY): RestoreEntry {
  // A chunk is good until the next is asked for.
  async function* content() {
    const memory = Buffer.alloc(1);
    for (const [index, letter] of [...text].entries()) {
      if (index === breaksAt) throw new Error('damaged');
      memory.write(letter);
      yield memory;
    }
    memory.fill(0);
  }
  const common = { uid: 0, gid: 0, userName: '', groupName: '', mode: 0o600, linkTarget: null, xattrs: null };
  const times = { modifiedAtNs: 0n, deviceMajor: 0, deviceMinor: 0, segments: null };
  return { ...common, ...times, path: Buffer.from(path), type: 'file', sizeBytes: 0, content: content() };
}

function openIn(place: string, how: RestoreContext): FolderRestore {
  return new FolderRestore(place, how, (path) => {
    const text = Buffer.from(path).toString('utf8');
    if (text.includes('..')) throw new Error('it leads elsewhere');
    return text;
  });
}

it('writes what is chosen, and replaces nothing before its end', async () => {
  const target = join(folder, 'a/b');
  const session = openIn(target, context({ paths: ['/mysql/shop/'] }));
  await session.write(entry('/mysql/shop/dump.sql', 'dump'));
  await session.write(entry('mysql/shop/inventory.json', '{}'));
  await session.write(entry('/mysql/shop2/dump.sql', 'other'));
  expect(readdirSync(join(target, 'mysql'))).toEqual(['shop']);
  expect(readdirSync(join(target, 'mysql/shop'))).not.toContain('dump.sql');
  expect(await session.commit()).toEqual({ itemsWritten: 2, bytesWritten: 6, itemsSkipped: 0 });
  expect(readdirSync(join(target, 'mysql/shop'))).toEqual(['dump.sql', 'inventory.json']);
  expect(readFileSync(join(target, 'mysql/shop/dump.sql'), 'utf8')).toBe('dump');
});

it('leaves what is there unless it may replace it', async () => {
  writeFileSync(join(folder, 'x'), 'old');
  const never = openIn(folder, context());
  await never.write(entry('/x', 'new'));
  expect(await never.commit()).toMatchObject({ itemsWritten: 0, itemsSkipped: 1 });
  const always = openIn(folder, context({ overwrite: 'always' }));
  await always.write(entry('/x', 'new'));
  expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('old');
  await always.commit();
  expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('new');
});

it('takes everything back, and goes nowhere else', async () => {
  const session = openIn(folder, context());
  await session.write(entry('/mysql/a/dump.sql', 'whole'));
  await expect(session.write(entry('/mysql/b/dump.sql', 'broken', 3))).rejects.toThrow('damaged');
  await expect(session.write(entry('/mysql/../../x', 'x'))).rejects.toThrow('elsewhere');
  await session.rollback();
  expect(readdirSync(folder)).toEqual([]);
});

it('tells what it would write', async () => {
  const said: string[] = [];
  writeFileSync(join(folder, 'x'), 'old');
  const session = openIn(folder, context({ isDryRun: true, log: (_, text) => said.push(text) }));
  await session.write(entry('/a/dump.sql', 'dump'));
  await session.write(entry('/x', 'new'));
  expect(await session.commit()).toEqual({ itemsWritten: 1, bytesWritten: 0, itemsSkipped: 1 });
  expect(said).toEqual([`Would write ${join(folder, 'a/dump.sql')}.`]);
  expect(readdirSync(folder)).toEqual(['x']);
});

it('leaves out what is no part of a backup', async () => {
  const session = new FolderRestore(folder, context(), () => null);
  await session.write(entry('/etc/passwd', 'x'));
  expect(await session.commit()).toMatchObject({ itemsWritten: 0, itemsSkipped: 0 });
});
