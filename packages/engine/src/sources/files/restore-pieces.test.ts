import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EntryType, RestoreContext, RestoreEntry, RestoreFile, RestoreSession } from '../../ports/source.ts';
import { openRestoreSession } from './restore-session.ts';
import { digestOf } from './restore-state.ts';

const MTIME_NS = 1_700_000_000_000_000_000n;
const DEAD_MARK = '4194303.1';
let root: string;
let out: string;
let problems: ItemProblem[];
let logs: string[];
let bytesSeen: number;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-pieces-test-'));
  out = path.join(root, 'out');
  mkdirSync(path.join(out, 'www'), { recursive: true });
  problems = [];
  logs = [];
  bytesSeen = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);
const at = (...names: string[]) => path.join(out, 'www', ...names);
const codes = () => problems.map((problem) => problem.code);

function entry(name: string, sizeBytes: number, more: Partial<RestoreEntry> = {}): RestoreEntry {
  return {
    path: bytes(`/srv/www/${name}`),
    type: 'file',
    mode: 0o640,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    userName: '',
    groupName: '',
    modifiedAtNs: MTIME_NS,
    linkTarget: null,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    sizeBytes,
    segments: null,
    content: null,
    ...more,
  };
}
const other = (name: string, type: EntryType, linkTarget?: string) =>
  entry(name, 0, { type, mode: 0o755, linkTarget: linkTarget === undefined ? null : bytes(linkTarget) });

type PieceSession = RestoreSession & Required<Pick<RestoreSession, 'openFile'>>;
async function open(more: Partial<RestoreContext> = {}): Promise<PieceSession> {
  const session = await openRestoreSession(['/srv/www'], {
    signal: new AbortController().signal,
    targetPath: out,
    options: {},
    paths: null,
    overwrite: 'always',
    tempDir: path.join(root, 'temp'),
    isVerified: true,
    problem: (problem) => problems.push(problem),
    log: (_level, message) => logs.push(message),
    progress({ bytes: count = 0 }) {
      bytesSeen += count;
    },
    ...more,
  });
  return session as PieceSession;
}

function begin(session: PieceSession, item: RestoreEntry): RestoreFile {
  const file = session.openFile(item);
  if (!file) throw new Error('the file is not wanted');
  return file;
}

describe('files from pieces', () => {
  it('takes pieces of several files in any order and shows each file only when it is whole', async () => {
    const session = await open();
    const files = ['a', 'b'].map((name) => begin(session, entry(name, 6)));
    for (const file of files) file.writeAt(bytes('def'), 3);
    expect(readdirSync(at()).filter((name) => !name.startsWith('.backupx-restore-'))).toEqual([]);
    for (const file of files) file.writeAt(bytes('abc'), 0);
    expect(existsSync(at('a'))).toBe(false);
    expect(files.map((file) => file.finish())).toEqual([true, true]);
    expect(readdirSync(at())).toEqual(['a', 'b']);
    expect(await session.commit()).toEqual({ itemsWritten: 2, bytesWritten: 12, itemsSkipped: 0 });
    const stats = statSync(at('a'), { bigint: true });
    expect(readFileSync(at('a'), 'utf8')).toBe('abcdef');
    expect([Number(stats.mode & 0o7777n), stats.mtimeNs]).toEqual([0o640, MTIME_NS]);
    expect(bytesSeen).toBe(12);
  });

  it.each([0o022, 0o077, 0o000])('sets every mode, also where the mask %o is against it', async (mask) => {
    const modes = [0o644, 0o640, 0o600, 0o400, 0o000, 0o755, 0o666, 0o777, 0o4755, 0o2711, 0o1644];
    const before = process.umask(mask);
    try {
      const session = await open();
      // More than once: what was learned of the first is used for the second.
      for (const [number, mode] of [...modes, ...modes].entries()) {
        const file = begin(session, entry(`${number}`, 6, { mode }));
        file.writeAt(bytes('abcdef'), 0);
        expect(file.finish()).toBe(true);
      }
      await session.commit();
    } finally {
      process.umask(before);
    }
    const found = modes.map((_mode, number) => statSync(at(`${number}`)).mode & 0o7777);
    expect(found).toEqual(modes);
    expect(modes.map((_mode, number) => statSync(at(`${number + modes.length}`)).mode & 0o7777)).toEqual(modes);
    expect(problems).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)('gives files their owners, also in a folder that hands on its group', async () => {
    mkdirSync(at(), { recursive: true });
    chownSync(at(), 0, 4242);
    chmodSync(at(), 0o2755);
    const session = await open();
    const owners = [0, 0, 4243, 0] as const;
    for (const [number, id] of owners.entries()) {
      const file = begin(session, entry(`${number}`, 6, { uid: id, gid: id, mode: 0o644 }));
      file.writeAt(bytes('abcdef'), 0);
      expect(file.finish()).toBe(true);
    }
    await session.commit();
    const found = owners.map((_id, number) => statSync(at(`${number}`)));
    expect(found.map(({ uid, gid }) => [uid, gid])).toEqual(owners.map((id) => [id, id]));
  });

  it('makes empty files, and holes of what is zero or never comes', async () => {
    const size = 4 * 1024 * 1024;
    const session = await open();
    begin(session, entry('empty', 0)).finish();
    const sparse = begin(session, entry('sparse', size));
    const piece = Buffer.alloc(1024 * 1024);
    piece.fill(7, 300_000, 300_100);
    sparse.writeAt(piece, 1024 * 1024);
    sparse.writeAt(Buffer.alloc(512 * 1024), 2 * 1024 * 1024);
    sparse.finish();
    await session.commit();
    const expected = Buffer.alloc(size);
    piece.copy(expected, 1024 * 1024);
    expect(readFileSync(at('sparse')).equals(expected)).toBe(true);
    expect(statSync(at('sparse')).blocks * 512).toBeLessThanOrEqual(128 * 1024);
    expect(statSync(at('empty')).size).toBe(0);
  });

  it('sets times before 1970 and far ahead', async () => {
    const session = await open();
    const times = [-275_248_379_750_000_000n, 4_107_542_399_500_000_000n];
    for (const [index, modifiedAtNs] of times.entries())
      begin(session, entry(`t${index}`, 0, { modifiedAtNs })).finish();
    await session.commit();
    expect(times.map((_, index) => statSync(at(`t${index}`), { bigint: true }).mtimeNs)).toEqual(times);
  });

  it('leaves nothing of a file that was given up', async () => {
    const session = await open();
    writeFileSync(at('old'), 'old content');
    const file = begin(session, entry('old', 100));
    file.writeAt(bytes('half'), 0);
    file.discard();
    expect(file.finish()).toBe(false);
    await session.rollback();
    expect(readdirSync(at())).toEqual(['old']);
    expect(readFileSync(at('old'), 'utf8')).toBe('old content');
  });

  it('keeps what is in place after a failure, with the metadata of folders', async () => {
    const session = await open();
    await session.write(other('sub', 'directory'));
    begin(session, entry('sub/done', 0)).finish();
    begin(session, entry('sub/begun', 10)).discard();
    await session.commit();
    expect(readdirSync(at('sub'))).toEqual(['done']);
    expect(statSync(at('sub')).mode & 0o777).toBe(0o755);
    const again = await open();
    begin(again, entry('sub/done', 0)).finish();
    await again.rollback();
    expect(existsSync(at('sub/done'))).toBe(true);
  });

  it('links a further name to a first one that is in place, also over the same link', async () => {
    for (let round = 0; round < 2; round += 1) {
      const session = await open();
      const first = begin(session, entry('first', 3));
      first.writeAt(bytes('abc'), 0);
      first.finish();
      await session.write(other('second', 'hardlink', '/srv/www/first'));
      await session.commit();
      expect(statSync(at('first')).nlink).toBe(2);
      expect(readdirSync(at())).toEqual(['first', 'second']);
    }
    expect(problems).toEqual([]);
  });
});

describe('confinement', () => {
  it('does not write through links, whenever they appear', async () => {
    const outside = path.join(root, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, at('door'));
    const session = await open();
    expect(session.openFile(entry('door/stolen', 1))).toBeNull();
    await session.write(other('sub', 'directory'));
    const file = begin(session, entry('sub/x', 1));
    await session.write(other('elsewhere', 'directory'));
    renameSync(at('sub'), at('moved'));
    symlinkSync(outside, at('sub'));
    file.writeAt(bytes('x'), 0);
    expect([file.isOpen, file.finish()]).toEqual([false, false]);
    await session.commit();
    expect(readdirSync(outside)).toEqual([]);
    expect(codes()).toEqual(['unsafe', 'unsafe', 'metadata']);
  });

  it('replaces a link by the file, and never a folder', async () => {
    writeFileSync(path.join(root, 'precious'), 'precious');
    symlinkSync(path.join(root, 'precious'), at('a'));
    mkdirSync(at('b'));
    const session = await open();
    const file = begin(session, entry('a', 8));
    expect(file.existing).toBeNull();
    file.writeAt(bytes('restored'), 0);
    file.finish();
    expect(session.openFile(entry('b', 8))).toBeNull();
    expect(lstatSync(at('a')).isFile()).toBe(true);
    expect(readFileSync(path.join(root, 'precious'), 'utf8')).toBe('precious');
    expect(codes()).toEqual(['unsafe']);
  });
});

it('ends when the disk is full: the rest would be fetched in vain', async () => {
  const full = Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' });
  const progress = ({ bytes: count = 0 }) => {
    if (count > 0) throw full;
  };
  const session = await open({ progress });
  const file = begin(session, entry('a', 6));
  expect(() => file.writeAt(bytes('abcdef'), 0)).toThrow(
    expect.objectContaining({
      code: 'RESTORE_TARGET_INVALID',
      params: expect.objectContaining({ path: '/srv/www/a' }),
    }),
  );
  await session.commit();
  expect(readdirSync(at())).toEqual([]);
});

describe('what is there already', () => {
  it('decides by the overwrite mode', async () => {
    const olderThan = (seconds: number) => utimesSync(at('a'), seconds, seconds);
    writeFileSync(at('a'), 'there');
    olderThan(1_800_000_000);
    expect((await open({ overwrite: 'never' })).openFile(entry('a', 1))).toBeNull();
    expect((await open({ overwrite: 'if_newer' })).openFile(entry('a', 1))).toBeNull();
    olderThan(1_600_000_000);
    expect((await open({ overwrite: 'never' })).openFile(entry('a', 1))).toBeNull();
    expect((await open({ overwrite: 'if_newer' })).openFile(entry('a', 1))).not.toBeNull();
    expect((await open({ overwrite: 'never' })).openFile(entry('new', 1))).not.toBeNull();
  });

  it('lets a file of the right content stay, with new metadata', async () => {
    writeFileSync(at('a'), 'abcdef');
    const inode = statSync(at('a')).ino;
    const session = await open();
    const file = begin(session, entry('a', 6));
    const found = Buffer.alloc(6);
    expect(file.existing?.use).toBe('keep');
    expect(file.existing?.read(found, 0)).toBe(6);
    expect(file.existing?.read(Buffer.alloc(6), 4)).toBe(2);
    expect(found.toString()).toBe('abcdef');
    expect(file.keepExisting()).toBe(true);
    expect(await session.commit()).toEqual({ itemsWritten: 1, bytesWritten: 0, itemsSkipped: 0 });
    const stats = statSync(at('a'), { bigint: true });
    expect([Number(stats.ino), stats.mtimeNs, Number(stats.mode & 0o777n)]).toEqual([inode, MTIME_NS, 0o640]);
  });

  it('does not touch the other names of a file', async () => {
    writeFileSync(path.join(root, 'precious'), 'abcdef', { mode: 0o600 });
    chmodSync(path.join(root, 'precious'), 0o600);
    linkSync(path.join(root, 'precious'), at('a'));
    const session = await open();
    const file = begin(session, entry('a', 6));
    expect(file.existing?.use).toBe('copy');
    expect(() => file.keepExisting()).toThrow();
    const again = begin(session, entry('a', 6));
    again.writeAt(bytes('abcdef'), 0);
    again.closeExisting();
    again.finish();
    expect(statSync(at('a')).nlink).toBe(1);
    expect(statSync(path.join(root, 'precious')).mode & 0o777).toBe(0o600);
  });

  it('takes the place of a file that others could write into', async () => {
    writeFileSync(at('a'), 'abcdef');
    chmodSync(at('a'), 0o666);
    const session = await open();
    expect(begin(session, entry('a', 6)).existing?.use).toBe('copy');
    expect(begin(session, entry('a', 6, { mode: 0o666 })).existing?.use).toBe('keep');
    chmodSync(at('a'), 0o640);
    expect(begin(session, entry('a', 6)).existing?.use).toBe('keep');
    if (process.getuid?.() !== 0) return;
    chownSync(at('a'), 12_345, 0);
    expect(begin(session, entry('a', 6)).existing?.use).toBe('copy');
    expect(begin(session, entry('a', 6, { uid: 12_345 })).existing?.use).toBe('keep');
  });

  const size = 2 * 1024 * 1024;
  const leftName = (name: string, mark = DEAD_MARK) =>
    at(`.backupx-restore-${mark}-${digestOf({ base: 0, folder: ['www'], name })}`);

  it('goes on where a killed restore stood', async () => {
    const half = Buffer.alloc(size / 2, 1);
    writeFileSync(leftName('big'), half, { mode: 0o600 });
    const session = await open();
    await session.write(entry('', 0, { type: 'directory', path: bytes('/srv/www'), mode: 0o555 }));
    const file = begin(session, entry('big', size));
    expect(file.existing?.use).toBe('continue');
    const found = Buffer.alloc(size);
    expect(file.existing?.read(found, 0)).toBe(size / 2);
    file.closeExisting();
    file.writeAt(Buffer.alloc(size / 4), 0);
    file.finish();
    await session.commit();
    const expected = Buffer.concat([Buffer.alloc(size / 4), Buffer.alloc(size / 4, 1), Buffer.alloc(size / 2)]);
    chmodSync(at(), 0o755);
    expect(readFileSync(at('big')).equals(expected)).toBe(true);
    expect(readdirSync(at())).toEqual(['big']);
  });

  it('trusts no leftover that somebody else could open, and removes what nobody wants', async () => {
    writeFileSync(leftName('open'), 'x', { mode: 0o600 });
    chmodSync(leftName('open'), 0o666);
    writeFileSync(leftName('linked'), 'x', { mode: 0o600 });
    linkSync(leftName('linked'), path.join(root, 'other-name'));
    writeFileSync(leftName('unwanted'), 'x', { mode: 0o600 });
    const session = await open();
    await session.write(entry('', 0, { type: 'directory', path: bytes('/srv/www'), mode: 0o555 }));
    for (const name of ['open', 'linked']) {
      const file = begin(session, entry(name, size));
      expect(file.existing).toBeNull();
      file.discard();
    }
    await session.commit();
    const { mode, mtimeNs } = statSync(at(), { bigint: true });
    chmodSync(at(), 0o755);
    expect([mode & 0o777n, mtimeNs]).toEqual([0o555n, MTIME_NS]);
    expect(readdirSync(at())).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe('dry run', () => {
  it('writes nothing and says what would be', async () => {
    for (const name of ['same', 'changed', 'kept']) writeFileSync(at(name), 'abcdef');
    utimesSync(at('kept'), 1_800_000_000, 1_800_000_000);
    for (const name of ['same', 'changed']) utimesSync(at(name), 1, 1);
    utimesSync(at(), 5, 5);
    const session = await open({ isDryRun: true, overwrite: 'if_newer' });
    await session.write(other('new', 'directory'));
    const made = begin(session, entry('new/file', 5));
    made.writeAt(bytes('abcde'), 0);
    made.finish();
    await session.write(other('new/link', 'symlink', 'file'));
    const same = begin(session, entry('same', 6));
    const found = Buffer.alloc(6);
    same.existing?.read(found, 0);
    expect(found.toString()).toBe('abcdef');
    same.keepExisting();
    begin(session, entry('changed', 9)).finish();
    expect(session.openFile(entry('kept', 6))).toBeNull();
    expect(await session.commit()).toEqual({ itemsWritten: 5, bytesWritten: 14, itemsSkipped: 1 });
    expect(readdirSync(at())).toEqual(['changed', 'kept', 'same']);
    expect(statSync(at()).mtimeMs).toBe(5000);
    expect(logs).toEqual([
      '/srv/www/new would be made.',
      '/srv/www/new/file would be made (5 bytes).',
      '/srv/www/new/link would be made.',
      '/srv/www/changed would be replaced (9 bytes).',
    ]);
  });

  it('does not make the target', async () => {
    const targetPath = path.join(root, 'missing/target');
    const session = await open({ isDryRun: true, targetPath });
    await session.write(other('new', 'directory'));
    expect((await session.commit()).itemsWritten).toBe(1);
    expect(existsSync(path.join(root, 'missing'))).toBe(false);
  });
});
