import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupContext, SourceEntry } from '../../ports/source.ts';
import { filesSource } from './files-source.ts';
import { findSegments } from './find-segments.ts';

let root: string;
let problems: ItemProblem[];
let logs: string[];
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-files-'));
  chmodSync(root, 0o755);
  problems = [];
  logs = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const context: () => BackupContext = () => ({
  signal: new AbortController().signal,
  tempDir: root,
  problem: (problem) => problems.push(problem),
  log: (_level, message) => logs.push(message),
});

function readEntries(
  settings: object,
  onEntry: (entry: SourceEntry) => void = () => {},
  more: Partial<BackupContext> = {},
): SourceEntry[] {
  const config = filesSource.config.parse({ paths: [root], ...settings });
  const found: SourceEntry[] = [];
  for (const entry of filesSource.entries(config, { ...context(), ...more }) as Iterable<SourceEntry>) {
    onEntry(entry);
    if (entry.content?.kind === 'sync') entry.content.close();
    found.push(entry);
  }
  return found;
}
const namesOf = (entries: SourceEntry[]) =>
  entries.map((entry) => Buffer.from(entry.path).toString('latin1').slice(root.length));
const write = (name: string, text = '') => {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), text);
};

describe('walking', () => {
  it('yields folders before their content, in byte order, and counts the same', async () => {
    for (const name of ['b/2', 'b/1', 'a/x', 'B/y', 'b.txt']) write(name, '12345');
    linkSync(path.join(root, 'a/x'), path.join(root, 'z'));
    const entries = readEntries({});
    expect(namesOf(entries)).toEqual(['', '/B', '/B/y', '/a', '/a/x', '/b', '/b/1', '/b/2', '/b.txt', '/z']);
    expect(entries.at(-1)).toMatchObject({ type: 'hardlink' });
    expect(Buffer.from(entries.at(-1)?.linkTarget ?? []).toString()).toBe(path.join(root, 'a/x'));
    const config = filesSource.config.parse({ paths: [root] });
    expect([...(filesSource.countTotals?.(config) ?? [])].at(-1)).toEqual({ items: 10, bytes: 25 });
  });

  it('tells of a link in one path that another path leads through', () => {
    write('www/deep/er/d');
    symlinkSync('deep', path.join(root, 'www/link'));
    symlinkSync('www', path.join(root, 'alias'));
    const read = (...paths: string[]) => readEntries({ paths: paths.map((name) => path.join(root, name)) });
    read('www', 'www/deep/er', 'alias/deep', 'www/link');
    expect(logs.filter((text) => text.includes('leads through'))).toEqual([]);
    read('www', 'www/link/er', 'www/link/er/d');
    expect(logs.filter((text) => text.includes('leads through'))).toEqual([
      expect.stringMatching(/^\S+\/www\/link is a symbolic link .* \S+\/www\/link\/er leads through it/),
    ]);
  });

  it('leaves out what the patterns say, as git does', () => {
    for (const name of ['keep.log', 'a.log', 'build/x', 'src/build/y', 'src/a.ts', 'cache/deep/z', 'tmp/t'])
      write(name);
    const excludePatterns = ['*.log', '!keep.log', 'build/', '/cache/*', `${root}/tmp`];
    expect(namesOf(readEntries({ excludePatterns }))).toEqual(['', '/cache', '/keep.log', '/src', '/src/a.ts']);
  });

  it('skips sockets, keeps links, FIFOs and attributes', async () => {
    const socket = net.createServer();
    await new Promise<void>((resolve) => socket.listen(path.join(root, 'socket'), resolve));
    symlinkSync('nowhere', path.join(root, 'link'));
    execFileSync('mkfifo', [path.join(root, 'pipe')]);
    write('x', 'x');
    const hasXattrs = spawnSync('setfattr', ['-n', 'user.k', '-v', 'value', path.join(root, 'x')]).status === 0;
    const entries = readEntries({});
    await new Promise((resolve) => socket.close(resolve));
    expect(entries.map((entry) => entry.type)).toEqual(['directory', 'symlink', 'fifo', 'file']);
    expect(Buffer.from(entries[3]?.xattrs?.get('user.k') ?? []).toString()).toBe(hasXattrs ? 'value' : '');
    expect(problems).toEqual([]);
    expect(logs.join()).toContain('1 socket');
  });

  it('stays on one file system when told so', () => {
    if (!existsSync('/dev/shm') || statSync('/dev/shm').dev === statSync('/dev').dev) return;
    const file = `/dev/shm/backupx-test-${process.pid}`;
    writeFileSync(file, '');
    try {
      const all = (oneFileSystem: boolean) =>
        readEntries({ paths: ['/dev'], oneFileSystem }).map((entry) => Buffer.from(entry.path).toString());
      expect(all(true)).toContain('/dev/shm');
      expect(all(true)).not.toContain(file);
      expect(all(false)).toContain(file);
    } finally {
      unlinkSync(file);
    }
  });
});

describe('single items that cannot be read', () => {
  it('reports what vanishes or is replaced during the run', () => {
    for (const name of ['a', 'b', 'c']) write(name, 'x');
    const entries = readEntries({}, (entry) => {
      if (!Buffer.from(entry.path).toString().endsWith('/a')) return;
      unlinkSync(path.join(root, 'b'));
      execFileSync('sh', ['-c', `rm ${root}/c && mkfifo ${root}/c`]);
    });
    // The FIFO that took a file's place is itself there when its turn comes.
    expect(entries.map((entry) => entry.type)).toEqual(['directory', 'file', 'fifo']);
    expect(problems).toEqual([expect.objectContaining({ path: path.join(root, 'b'), code: 'vanished' })]);
  });

  it('reports what may not be read, and fails when that is everything', () => {
    write('open', 'x');
    write('closed', 'x');
    write('folder/inside', 'x');
    chmodSync(path.join(root, 'closed'), 0o000);
    chmodSync(path.join(root, 'folder'), 0o000);
    const all = asNobody([root]);
    expect(all.names).toEqual(['', '/folder', '/open']);
    expect(all.problems).toEqual(['/closed unreadable', '/folder unreadable']);
    expect(asNobody([path.join(root, 'closed')]).error).toBe('SOURCE_NOT_READABLE');
    unlinkSync(path.join(root, 'open'));
    expect(asNobody([root]).error).toBe('SOURCE_NOT_READABLE');
  });

  it('counts attributes that it may list and not read', () => {
    mkdirSync(path.join(root, 'folder'));
    const hasXattrs = spawnSync('setfattr', ['-n', 'user.k', '-v', 'value', path.join(root, 'folder')]).status === 0;
    chmodSync(path.join(root, 'folder'), 0o000);
    const told = '1 extended attribute(s) that are listed could not be read.';
    expect(asNobody([root]).logs).toEqual(hasXattrs ? [told] : []);
  });

  /** Reads in a child process without the rights of root. */
  function asNobody(paths: string[]): { names: string[]; problems: string[]; logs: string[]; error?: string } {
    const script = `
      import { filesSource } from ${JSON.stringify(new URL('./files-source.ts', import.meta.url).href)};
      if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534); }
      const root = ${JSON.stringify(root)}, problems = [], names = [], logs = [];
      const context = { signal: new AbortController().signal, log: (_, text) => logs.push(text), problem: (p) => problems.push(p.path.slice(root.length) + ' ' + p.code) };
      let error;
      try {
        const config = filesSource.config.parse({ paths: ${JSON.stringify(paths)} });
        for (const entry of filesSource.entries(config, context)) { names.push(Buffer.from(entry.path).toString().slice(root.length)); entry.content?.close(); }
      } catch (caught) { error = caught.code; }
      console.log(JSON.stringify({ names, problems, logs, error }));`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    return JSON.parse(run.stdout);
  }
});

describe('what a store that compares runs needs', () => {
  it('tells what identifies each item', () => {
    write('a', '12345');
    linkSync(path.join(root, 'a'), path.join(root, 'b'));
    const stats = statSync(path.join(root, 'a'), { bigint: true });
    const identity = {
      inode: stats.ino,
      device: stats.dev,
      linkCount: 2,
      sizeBytes: 5n,
      accessedAtNs: stats.atimeNs,
      changedAtNs: stats.ctimeNs,
    };
    const [folder, a, b] = readEntries({});
    expect(folder?.identity?.inode).toBe(statSync(root, { bigint: true }).ino);
    expect(a?.identity).toEqual(identity);
    expect(b).toMatchObject({ type: 'hardlink', identity });
  });

  it('opens no file that is known, and asks for files only, once for all names', () => {
    write('known', 'x');
    write('new', 'y');
    linkSync(path.join(root, 'new'), path.join(root, 'other-name'));
    symlinkSync('known', path.join(root, 'link'));
    // A FIFO takes the place of the known file, which an opening would notice.
    const asked: string[] = [];
    const isUnchanged: BackupContext['isUnchanged'] = ({ path: item, modifiedAtNs, identity }) => {
      const name = Buffer.from(item).toString().slice(root.length);
      asked.push(name);
      expect(modifiedAtNs).toBe(statSync(path.join(root, name), { bigint: true }).mtimeNs);
      expect(identity.sizeBytes).toBe(1n);
      if (name === '/known') execFileSync('sh', ['-c', `rm ${root}/known && mkfifo ${root}/known`]);
      return name === '/known';
    };
    const entries = readEntries({}, undefined, { isUnchanged });
    expect(asked).toEqual(['/known', '/new']);
    expect(problems).toEqual([]);
    expect(entries.map(({ type, content }) => `${type} ${content === null ? 'closed' : 'open'}`)).toEqual([
      'directory closed',
      'file closed',
      'symlink closed',
      'file open',
      'hardlink closed',
    ]);
  });

  it('ends well when everything is known', () => {
    write('a', 'x');
    expect(readEntries({}, undefined, { isUnchanged: () => true })).toHaveLength(2);
  });

  it('yields the folders above the roots, outermost first, each once', () => {
    for (const name of ['up/a/root/x', 'up/b/root/y', 'other/z']) write(name, 'x');
    symlinkSync('up', path.join(root, 'alias'));
    chmodSync(path.join(root, 'up/b'), 0o750);
    const ancestors = (...paths: string[]) =>
      [
        ...(filesSource.ancestors?.(filesSource.config.parse({ paths: paths.map((name) => root + name) })) ?? []),
      ].filter((entry) => entry.path.byteLength > root.length);
    const found = ancestors('/up/b/root', '/up/a/root', '/up/b', '/other/z', '/missing/deep', '/alias/a/root/');
    expect(namesOf(found)).toEqual(['/alias', '/alias/a', '/other', '/up', '/up/a', '/up/b']);
    expect(found.every(({ type, content }) => type === 'directory' && content === null)).toBe(true);
    expect(ancestors('/up/b/root').at(-1)).toMatchObject({ mode: 0o750 });
    const above = [...(filesSource.ancestors?.(filesSource.config.parse({ paths: ['/', root] })) ?? [])];
    expect(above.map((entry) => Buffer.from(entry.path).toString())).not.toContain('/');
  });
});

it('reads the attributes of further names of a file when they are wanted', () => {
  write('a');
  linkSync(path.join(root, 'a'), path.join(root, 'b'));
  const hasXattrs = spawnSync('setfattr', ['-n', 'user.k', '-v', 'value', path.join(root, 'a')]).status === 0;
  const lastOf = (entries: SourceEntry[]) => Buffer.from(entries.at(-1)?.xattrs?.get('user.k') ?? []).toString();
  expect(lastOf(readEntries({}))).toBe('');
  expect(lastOf(readEntries({}, undefined, { wantsLinkAttributes: true }))).toBe(hasXattrs ? 'value' : '');
});

describe('sparse files', () => {
  it('finds the data between the holes', () => {
    write('sparse', 'start');
    truncateSync(path.join(root, 'sparse'), 10_000_000);
    const [, file] = readEntries({});
    const content = file?.content?.kind === 'sync' ? file.content : null;
    expect(content?.segments).toEqual([{ offset: 0, length: 4096 }]);
    expect(content?.sizeBytes).toBe(10_000_000);
  });

  it('does not look for it when nobody wants to know', () => {
    write('sparse', 'start');
    truncateSync(path.join(root, 'sparse'), 10_000_000);
    const [, file] = readEntries({}, undefined, { wantsSegments: false });
    expect(file?.content).toMatchObject({ kind: 'sync', segments: null, sizeBytes: 10_000_000 });
  });

  it('keeps every byte that is not zero and bounds the list', () => {
    const size = 600_000_000;
    // One byte of data in every second page.
    const read = (target: Uint8Array, position: number) => {
      const length = Math.min(target.byteLength, size - position);
      target.fill(0, 0, length);
      for (let at = 0; at < length; at += 8192) target[at] = 1;
      return length;
    };
    const segments = findSegments(read, size);
    expect(segments.length).toBeLessThanOrEqual(65_536);
    const covered = (position: number) =>
      segments.some(({ offset, length }) => position >= offset && position < offset + length);
    for (const page of [0, 1, 1000, 40_000, 73_241]) expect(covered(page * 8192)).toBe(true);
  });
});
