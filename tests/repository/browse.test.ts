/** Looking into snapshots of stock restic: what we list, find, compare and stream is what restic itself says. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { ArtifactEntry, BrowseArtifactResult } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { makeRareKinds, makeTree } from '../support/make-tree.ts';
import { folderOf, password, repositoryAt } from '../support/repository.ts';
import { forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const signal = new AbortController().signal;
const options = { reporter: silentReporter, signal };

/** Names that JSON can hold: restic's lists replace all others. */
const isText = (item: { path: string }) => !item.path.includes('\ufffd') && !/\\x[0-9a-f]{2}/.test(item.path);

function judge(restic: Restic): void {
  const work = makeWorkFolder('browse');
  const engine = createEngine({ tempDir: work.at('temp') });
  const repository = repositoryAt(work.at('theirs'));
  const theirs = restic.open(folderOf(repository), password);
  const source = work.at('source');
  let ids: string[] = [];

  beforeAll(async () => {
    makeTree(source, { files: 300 });
    makeRareKinds(path.join(source, 'rare'));
    await theirs.ok(['init']);
    await theirs.ok(['backup', source]);
    appendFileSync(path.join(source, 'd1', 'e1', 'file-1.txt'), 'more');
    rmSync(path.join(source, 'd2', 'e2'), { recursive: true });
    mkdirSync(path.join(source, 'born', 'deep'), { recursive: true });
    writeFileSync(path.join(source, 'born', 'deep', 'file-1.txt'), 'new');
    rmSync(path.join(source, 'd3', 'e3', 'file-3.txt'));
    symlinkSync('elsewhere', path.join(source, 'd3', 'e3', 'file-3.txt'));
    await theirs.ok(['backup', source]);
    await theirs.ok(['backup', source]);
    ids = (await theirs.json<{ id: string }>(['snapshots'])).map(({ id }) => id);
  });
  afterAll(async () => {
    await engine.close(5000);
    work.remove();
  });

  async function list(folder: string): Promise<ArtifactEntry[]> {
    const artifact = {
      ...{ target: repository.target, storagePath: '', contentsPath: null, fileName: '' },
      ...{ checksum: null, fileSize: null, encryption: null },
      snapshot: { repository, snapshotId: 'latest' },
    };
    const entries: ArtifactEntry[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const page: BrowseArtifactResult = await engine.run(
        { kind: 'browse_artifact', artifact, path: folder, search: null, offset, limit: 50 },
        options,
      );
      entries.push(...page.entries);
      offset = page.nextOffset;
    }
    const below = await Promise.all(entries.filter(({ type }) => type === 'directory').map((item) => list(item.path)));
    return [...entries, ...below.flat()];
  }

  it('lists the same items', async () => {
    const nodes = await theirs.json<{ struct_type?: string; path: string; type: string; size?: number; mtime: string }>(
      ['ls', 'latest'],
    );
    const types: Record<string, string> = { dir: 'directory', dev: 'block_device', chardev: 'char_device' };
    const expected = nodes
      .filter((node) => node.struct_type === 'node' && isText(node))
      .map(({ path: at, type, size = 0, mtime }) => ({
        path: at,
        type: types[type] ?? type,
        size,
        modifiedAt: Date.parse(mtime),
      }));
    const ours = (await list('')).filter(isText);
    const found = ours.map(({ path: at, type, size, modifiedAt }) => ({
      ...{ path: at, type, size },
      modifiedAt: Date.parse(modifiedAt ?? ''),
    }));
    const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
    expect(found.length).toBeGreaterThan(600);
    expect(found.sort(byPath)).toEqual(expected.sort(byPath));
  });

  it.each(['file-1.txt', 'FILE-1*', 'size-*', '*.TXT'])('finds the same by %s', async (pattern) => {
    const isExact = pattern !== pattern.toLowerCase();
    const args = ['find', ...(isExact ? [] : ['--ignore-case']), pattern];
    const answers = await theirs.json<{ snapshot: string; matches: { path: string }[] }>(args);
    const expected = answers.flatMap(({ snapshot, matches }) => matches.map((match) => `${snapshot} ${match.path}`));
    const job = { kind: 'find_in_repository', repository, pattern, snapshotIds: null, limit: 10_000 } as const;
    const { hits, truncated } = await engine.run(job, options);
    const found = hits.flatMap((hit) => hit.snapshotIds.map((id) => `${id} ${hit.path}`));
    expect(truncated).toBe(false);
    expect(found.sort()).toEqual(expected.sort());
    if (!isExact) expect(found.length).toBeGreaterThan(0);
  });

  it('sees the same changes', async () => {
    const [from = '', to = ''] = ids;
    const lines = await theirs.json<{ message_type: string; path: string; modifier: string }>(['diff', from, to]);
    const expected = lines
      .filter(({ message_type }) => message_type === 'change')
      .map(({ modifier, path: at }) => `${modifier[0]} ${at.replace(/\/$/, '')}`);
    const signs = { added: '+', removed: '-', content: 'M', metadata: 'U', type: 'T' };
    const result = await engine.run({ kind: 'diff_snapshots', repository, from, to, limit: 1000 }, options);
    const found = result.changes
      .filter(({ change }) => change !== 'metadata')
      .map(({ change, path: at }) => `${signs[change]} ${at}`);
    expect(found.sort()).toEqual(expected.sort());
    expect(new Set(found.map((line) => line[0]))).toEqual(new Set(['+', '-', 'M', 'T']));
  });

  const stream = (at: string | null, format: 'raw' | 'tar' | 'zip') =>
    engine.openSnapshotStream({ repository, snapshotId: 'latest', path: at, format }, signal);

  async function unpack(program: string, args: string[], body: AsyncIterable<Uint8Array>): Promise<void> {
    const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    const closed = once(child, 'close');
    await pipeline(Readable.from(body), child.stdin);
    expect((await closed)[0]).toBe(0);
  }

  it('streams a file byte for byte', async () => {
    const at = path.join(source, 'rare', 'size-524289');
    expect((await buffer(stream(at, 'raw'))).equals(readFileSync(at))).toBe(true);
  });

  it('streams the snapshot as a tar that restores the tree', async () => {
    mkdirSync(work.at('tar'));
    const args = ['-x', '-p', '--acls', '--xattrs', '--xattrs-include=*', '-f', '-', '-C', work.at('tar')];
    await unpack('tar', args, stream(null, 'tar'));
    expect(compareTrees(source, path.join(work.at('tar'), source), { isCheckingSparse: false })).toEqual([]);
  });

  it('streams a folder as a zip with the same contents', async () => {
    const folder = path.join(source, 'd1');
    const file = work.at('folder.zip');
    writeFileSync(file, await buffer(stream(folder, 'zip')));
    execFileSync('unzip', ['-q', file, '-d', work.at('zip')]);
    const unpacked = path.join(work.at('zip'), folder);
    const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
    expect(names.length).toBeGreaterThan(5);
    for (const { parentPath, name } of names) {
      const inside = path.relative(folder, path.join(parentPath, name));
      expect(readFileSync(path.join(unpacked, inside))).toEqual(readFileSync(path.join(folder, inside)));
    }
  });
}

forEachRestic('looking into snapshots of stock restic', judge);
