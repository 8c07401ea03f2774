import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { browseContents } from './browse-contents.ts';
import { ContentsIndexWriter } from './contents-index.ts';
import { collect, inChunks, sampleEntry } from './sample-entries.ts';

let tempDir: string;
beforeEach(() => {
  tempDir = mkdtempSync(join(tmpdir(), 'contents-'));
});
afterEach(() => rmSync(tempDir, { recursive: true, force: true }));

async function listOf(fill: (writer: ContentsIndexWriter) => void): Promise<Buffer> {
  const writer = new ContentsIndexWriter(join(tempDir, 'made/on/demand'));
  try {
    fill(writer);
    return await collect(writer.openContents());
  } finally {
    writer.close();
    writer.close();
  }
}

const everything = { search: null, offset: 0, limit: 1000 };
const browse = (list: Buffer, query: object) =>
  browseContents(inChunks(list, 1000), { path: '', ...everything, ...query });

const tree = () =>
  listOf((writer) => {
    writer.add(sampleEntry('/srv/data', 'directory'), 0);
    writer.add(sampleEntry('/srv/data/zeta.txt', 'file', { data: 'zz' }), 2);
    writer.add(sampleEntry('/srv/data/alpha "q" \\.txt', 'file', { data: 'a' }), 1);
    writer.add(sampleEntry(Buffer.from('/srv/data/b\xff', 'latin1'), 'symlink', { linkTarget: 'zeta.txt' }), 0);
    writer.add(sampleEntry('/srv/data/sub', 'directory', { mode: 0o2750 }), 0);
    writer.add(sampleEntry('/srv/data/sub/deep.TXT', 'file', { modifiedAtNs: 1_767_323_045_678_000_000n }), 0);
    writer.add(sampleEntry('/srv/data/implied "x"/one', 'file'), 0);
    writer.add(sampleEntry('/srv/data/implied "x"/two', 'file'), 0);
    writer.add(sampleEntry('/srv/database/other', 'file'), 0);
    writer.add(sampleEntry('dump.sql', 'file', { data: 'select' }), 6);
  });

describe('the list of contents', () => {
  it('is NDJSON with the path first and leaves no file behind', async () => {
    const lines = (await tree()).toString().trimEnd().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines[5]).toBe(
      '{"path":"/srv/data/sub/deep.TXT","type":"file","size":0,"modifiedAt":"2026-01-02T03:04:05.678Z","mode":420}',
    );
    expect(JSON.parse(lines[3] as string)).toMatchObject({ path: '/srv/data/b\\xff', linkTarget: 'zeta.txt' });
    const writer = new ContentsIndexWriter(tempDir);
    writer.add(sampleEntry('/a', 'file'), 0);
    expect(readdirSync(tempDir).filter((name) => name.startsWith('contents-'))).toEqual([]);
    writer.close();
  });

  it('answers the children of a folder, folders first', async () => {
    const list = await tree();
    const { entries, total, nextOffset } = await browse(list, { path: '/srv/data' });
    expect(entries.map((entry) => [entry.name, entry.type])).toEqual([
      ['implied "x"', 'directory'],
      ['sub', 'directory'],
      ['alpha "q" \\.txt', 'file'],
      ['b\\xff', 'symlink'],
      ['zeta.txt', 'file'],
    ]);
    expect([total, nextOffset]).toEqual([5, null]);
    expect(entries[0]).toMatchObject({ path: '/srv/data/implied "x"', mode: null, modifiedAt: null });
    expect(entries[1]).toMatchObject({ path: '/srv/data/sub', mode: 0o2750 });
    expect((await browse(list, { path: '/srv/data/implied "x"/' })).entries.map((entry) => entry.path)).toEqual([
      '/srv/data/implied "x"/one',
      '/srv/data/implied "x"/two',
    ]);
    expect(await browse(list, { path: '/nowhere' })).toEqual({ entries: [], total: 0, nextOffset: null });
  });

  it('answers the top for an empty path', async () => {
    const { entries } = await browse(await tree(), { path: '' });
    expect(entries.map((entry) => [entry.path, entry.type])).toEqual([
      ['/srv', 'directory'],
      ['dump.sql', 'file'],
    ]);
  });

  it('goes page by page through folders and files', async () => {
    const list = await tree();
    const names: string[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page: Awaited<ReturnType<typeof browse>> = await browse(list, { path: '/srv/data', offset, limit: 2 });
      names.push(...page.entries.map((entry) => entry.name));
      offset = page.nextOffset;
    }
    expect(names).toEqual(['implied "x"', 'sub', 'alpha "q" \\.txt', 'b\\xff', 'zeta.txt']);
  });

  it('searches names, whatever their case, in the whole list', async () => {
    const list = await tree();
    const found = await browse(list, { path: '/ignored', search: '.tXt' });
    expect(found.entries.map((entry) => entry.name)).toEqual(['zeta.txt', 'alpha "q" \\.txt', 'deep.TXT']);
    expect(found.total).toBe(3);
    expect(await browse(list, { search: 'txt', offset: 1, limit: 1 })).toMatchObject({ total: 3, nextOffset: 2 });
    expect((await browse(list, { search: 'srv' })).total).toBe(0);
  });

  it('stays small with many files and sorts them all', async () => {
    const list = await listOf((writer) => {
      for (let index = 0; index < 30_000; index += 1)
        writer.add(sampleEntry(`/a/f${(index * 7919) % 30_000}`, 'file'), 0);
      writer.add(sampleEntry(`/a/${'ü'.repeat(200_000)}`, 'file'), 0);
    });
    const page = await browse(list, { path: '/a', offset: 100, limit: 3 });
    const sorted = Array.from({ length: 30_000 }, (_, index) => `f${index}`).sort();
    expect(page.entries.map((entry) => entry.name)).toEqual(sorted.slice(100, 103));
    expect(page).toMatchObject({ total: 30_001, nextOffset: 103 });
  });

  it('refuses what is no list', async () => {
    for (const text of ['hello\n', '{"path":"/a\n', '{"path":"/a"}\n', '{"path":"/a","type":"fi']) {
      await expect(browse(Buffer.from(text), {})).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    }
  });
});
