import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EntryType, RestoreContent, RestoreContext, RestoreEntry, RestoreSession } from '../../ports/source.ts';
import { openRestoreSession } from './restore-session.ts';

let root: string;
let out: string;
let outside: string;
let problems: ItemProblem[];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-restore-test-'));
  out = path.join(root, 'out');
  outside = path.join(root, 'outside');
  mkdirSync(out);
  mkdirSync(outside);
  writeFileSync(path.join(outside, 'precious'), 'precious');
  problems = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const encoder = new TextEncoder();

function entry(name: string, type: EntryType, more: { text?: string; linkTarget?: string; mtime?: bigint } = {}) {
  const bytes = encoder.encode(more.text ?? '');
  const content = type === 'file' ? streamOf(bytes) : null;
  const result: RestoreEntry = {
    path: encoder.encode(name),
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    userName: '',
    groupName: '',
    modifiedAtNs: more.mtime ?? 1_700_000_000_000_000_000n,
    linkTarget: more.linkTarget === undefined ? null : encoder.encode(more.linkTarget),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    sizeBytes: bytes.byteLength,
    segments: null,
    content,
  };
  return result;
}

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function open(sourcePaths: string[], more: Partial<RestoreContext> = {}): Promise<RestoreSession> {
  return openRestoreSession(sourcePaths, {
    signal: new AbortController().signal,
    targetPath: out,
    options: {},
    paths: null,
    overwrite: 'always',
    tempDir: path.join(root, 'temp'),
    problem: (problem) => problems.push(problem),
    log() {},
    progress() {},
    ...more,
  });
}

async function restoreAll(entries: RestoreEntry[], more: Partial<RestoreContext> = {}, sources = ['/srv/www']) {
  const session = await open(sources, more);
  for (const item of entries) await session.write(item);
  return session.commit();
}

const codes = () => problems.map((problem) => problem.code);

describe('hostile archives', () => {
  it('refuses names with dots, empty parts and zero bytes', async () => {
    const names = ['/srv/www/../../outside/x', '/..', '/srv/./x', '/srv//x', '/srv/www/a\0b', 'relative', ''];
    const outcome = await restoreAll(names.map((name) => entry(name, 'file', { text: 'bad' })));
    expect(outcome.itemsWritten).toBe(0);
    expect(codes()).toEqual(names.map(() => 'unsafe'));
    expect(readdirSync(out)).toEqual([]);
    expect(readdirSync(outside)).toEqual(['precious']);
  });

  it('does not write through a link of the archive', async () => {
    const outcome = await restoreAll([
      entry('/srv/www', 'directory'),
      entry('/srv/www/door', 'symlink', { linkTarget: outside }),
      entry('/srv/www/door/precious', 'file', { text: 'stolen' }),
      entry('/srv/www/door/new', 'file', { text: 'new' }),
      entry('/srv/www/door', 'directory'),
      entry('/srv/www/door/sub', 'directory'),
    ]);
    expect(outcome.itemsWritten).toBe(2);
    expect(codes()).toEqual(['unsafe', 'unsafe', 'unsafe', 'unsafe']);
    expect(readFileSync(path.join(outside, 'precious'), 'utf8')).toBe('precious');
    expect(readdirSync(outside)).toEqual(['precious']);
  });

  it('does not write through a link that stood in the target', async () => {
    mkdirSync(path.join(out, 'www'));
    symlinkSync(outside, path.join(out, 'www', 'door'));
    await restoreAll([entry('/srv/www/door/precious', 'file', { text: 'stolen' })]);
    expect(codes()).toEqual(['unsafe']);
    expect(readFileSync(path.join(outside, 'precious'), 'utf8')).toBe('precious');
  });

  it('replaces a link instead of writing to where it leads', async () => {
    mkdirSync(path.join(out, 'www'));
    symlinkSync(path.join(outside, 'precious'), path.join(out, 'www', 'a'));
    await restoreAll([entry('/srv/www/a', 'file', { text: 'mine' })]);
    expect(problems).toEqual([]);
    expect(lstatSync(path.join(out, 'www', 'a')).isFile()).toBe(true);
    expect(readFileSync(path.join(outside, 'precious'), 'utf8')).toBe('precious');
  });

  it('makes no hard link to anything that it did not restore', async () => {
    const precious = path.join(outside, 'precious');
    await restoreAll([
      entry('/srv/www/one', 'hardlink', { linkTarget: `/srv/www/../../../..${precious}` }),
      entry('/srv/www/door', 'symlink', { linkTarget: outside }),
      entry('/srv/www/two', 'hardlink', { linkTarget: '/srv/www/door/precious' }),
      entry('/srv/www/three', 'hardlink', { linkTarget: precious }),
    ]);
    expect(lstatSync(precious).nlink).toBe(1);
    expect(readdirSync(path.join(out, 'www'))).toEqual(['door']);
    expect(problems).toHaveLength(3);
  });

  it('makes no hard link to a file that was there before', async () => {
    mkdirSync(path.join(out, 'www'));
    writeFileSync(path.join(out, 'www', 'old'), 'old');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await restoreAll([entry('/srv/www/new', 'hardlink', { linkTarget: '/srv/www/old' })]);
    expect(problems).toEqual([expect.objectContaining({ message: expect.stringContaining('first name') })]);
  });

  it('stays inside the paths of the task when restoring to the original place', async () => {
    const home = path.join(root, 'home');
    mkdirSync(home);
    const entries = [
      entry(path.join(outside, 'precious'), 'file', { text: 'stolen' }),
      entry(path.join(home, 'a'), 'file', { text: 'fine' }),
    ];
    const outcome = await restoreAll(entries, { targetPath: null }, [home]);
    expect(outcome.itemsWritten).toBe(1);
    expect(codes()).toEqual(['unsafe']);
    expect(readFileSync(path.join(outside, 'precious'), 'utf8')).toBe('precious');
  });

  it('follows a path of the task that is a link, but not one that the archive put there', async () => {
    const real = path.join(root, 'real');
    const alias = path.join(root, 'alias');
    mkdirSync(real);
    symlinkSync(real, alias);
    await restoreAll([entry(alias, 'directory'), entry(`${alias}/a`, 'file')], { targetPath: null }, [alias]);
    expect(readdirSync(real)).toEqual(['a']);
    const planted = path.join(root, 'planted');
    const entries = [entry(planted, 'symlink', { linkTarget: outside }), entry(`${planted}/x`, 'file')];
    await restoreAll(entries, { targetPath: null }, [planted]);
    expect(readdirSync(outside)).toEqual(['precious']);
    expect(codes()).toEqual(['unsafe']);
  });
});

describe('what stands in the way', () => {
  it('never replaces a folder by a file or a file by a folder', async () => {
    mkdirSync(path.join(out, 'www', 'a'), { recursive: true });
    writeFileSync(path.join(out, 'www', 'b'), 'file');
    await restoreAll([
      entry('/srv/www/a', 'file', { text: 'x' }),
      entry('/srv/www/b', 'directory'),
      entry('/srv/www/b/c', 'file', { text: 'x' }),
    ]);
    expect(problems).toHaveLength(3);
    expect(readFileSync(path.join(out, 'www', 'b'), 'utf8')).toBe('file');
  });

  it('leaves the content of an item that cannot be placed unread', async () => {
    let isRead = false;
    const item = entry(`/srv/www/${'x'.repeat(256)}`, 'file', { text: 'x' });
    const content = async function* () {
      yield new Uint8Array(10);
      isRead = true;
    };
    await restoreAll([{ ...item, content: content() }]);
    expect(codes()).toEqual(['write_failed']);
    expect(isRead).toBe(false);
  });

  it('refuses a target that is a file or not absolute', async () => {
    const file = path.join(outside, 'precious');
    for (const targetPath of [file, `${file}/below`, 'relative', '/proc/backupx', '/proc/backupx/deep/er']) {
      await expect(open(['/srv/www'], { targetPath })).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
    }
  });
});

describe('two steps', () => {
  it('touches nothing that exists before commit and removes everything at rollback', async () => {
    mkdirSync(path.join(out, 'www'));
    writeFileSync(path.join(out, 'www', 'a'), 'mine');
    const session = await open(['/srv/www']);
    await session.write(entry('/srv/www', 'directory'));
    await session.write(entry('/srv/www/a', 'file', { text: 'stored' }));
    await session.write(entry('/srv/www/new/deep', 'directory'));
    await session.write(entry('/srv/www/new/deep/b', 'file', { text: 'b' }));
    await session.write(entry('/srv/www/new/l', 'symlink', { linkTarget: 'deep' }));
    await session.write(entry('/srv/www/new/h', 'hardlink', { linkTarget: '/srv/www/a' }));
    expect(readFileSync(path.join(out, 'www', 'a'), 'utf8')).toBe('mine');
    expect(readFileSync(path.join(out, 'www', 'new', 'h'), 'utf8')).toBe('stored');
    await session.rollback();
    expect(readFileSync(path.join(out, 'www', 'a'), 'utf8')).toBe('mine');
    expect(readdirSync(path.join(out, 'www'))).toEqual(['a']);
    expect(readdirSync(path.join(root, 'temp'))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('puts the later one in place of a name that an archive holds twice', async () => {
    mkdirSync(path.join(out, 'www'));
    writeFileSync(path.join(out, 'www', 'a'), 'mine');
    const items = () => [
      entry('/srv/www', 'directory'),
      ...['first', 'second', 'third'].map((text) => entry('/srv/www/a', 'file', { text })),
      ...['one', 'two'].map((text) => entry('/srv/www/new', 'file', { text })),
    ];
    const read = (name: string) => readFileSync(path.join(out, 'www', name), 'utf8');
    const logs: string[] = [];
    const undone = await open(['/srv/www'], { log: (_, message) => logs.push(message) });
    for (const item of items()) await undone.write(item);
    await undone.rollback();
    expect([read('a'), ...readdirSync(path.join(out, 'www')), ...logs]).toEqual(['mine', 'a']);
    const outcome = await restoreAll(items());
    expect([read('a'), read('new'), ...readdirSync(path.join(out, 'www'))]).toEqual(['third', 'two', 'a', 'new']);
    expect(outcome.itemsWritten).toBe(4);
    expect(problems).toEqual([]);
  });

  it('clears what a killed restore left, but not what a living one uses', async () => {
    mkdirSync(path.join(out, 'www'));
    const dead = path.join(out, 'www', '.backupx-restore-4194303.1-00ff');
    writeFileSync(dead, 'half');
    const other = await open(['/srv/www']);
    writeFileSync(path.join(out, 'www', 'a'), 'mine');
    await other.write(entry('/srv/www/a', 'file', { text: 'staged' }));
    await restoreAll([entry('/srv/www', 'directory')]);
    expect(existsSync(dead)).toBe(false);
    await other.commit();
    expect(readFileSync(path.join(out, 'www', 'a'), 'utf8')).toBe('staged');
  });
});

describe('content that is at hand, in a folder of its own', () => {
  /** To be taken at once, and in no other way. */
  const atHand = (name: string, text: string): RestoreEntry => {
    const takeNow = () => encoder.encode(text);
    const content = { ...streamOf(encoder.encode('not at once')), takeNow } as RestoreContent;
    return { ...entry(name, 'file', { text }), content };
  };
  const items = () => [
    entry('/srv/www', 'directory'),
    atHand('/srv/www/a', 'first'),
    atHand('/srv/www/a', 'second'),
    entry('/srv/www/link', 'symlink', { linkTarget: path.join(outside, 'precious') }),
    atHand('/srv/www/link', 'no link'),
    atHand('/srv/www/empty', ''),
  ];
  const read = (name: string) => readFileSync(path.join(out, 'www', name), 'utf8');

  it('a name that comes twice is treated as anywhere else', async () => {
    const outcome = await restoreAll(items());
    expect([read('a'), read('link'), read('empty')]).toEqual(['second', 'no link', '']);
    expect(lstatSync(path.join(out, 'www', 'link')).isSymbolicLink()).toBe(false);
    expect(readdirSync(path.join(out, 'www')).sort()).toEqual(['a', 'empty', 'link']);
    rmSync(path.join(out, 'www'), { recursive: true });
    const kept = await restoreAll(items(), { overwrite: 'never' });
    expect(read('a')).toBe('first');
    expect(lstatSync(path.join(out, 'www', 'link')).isSymbolicLink()).toBe(true);
    expect([outcome.itemsSkipped, kept.itemsSkipped]).toEqual([0, 2]);
    expect(readFileSync(path.join(outside, 'precious'), 'utf8')).toBe('precious');
    expect(problems).toEqual([]);
  });

  it('goes again when the restore is undone, and is a problem where it cannot be', async () => {
    const session = await open(['/srv/www']);
    for (const item of items()) await session.write(item);
    await session.write(atHand(`/srv/www/${'n'.repeat(300)}`, 'too long a name'));
    await session.write(atHand('/srv/www', 'over its folder'));
    await session.rollback();
    expect(problems.map(({ code }) => code)).toEqual(['write_failed', 'unsafe']);
    expect(readdirSync(out)).toEqual([]);
  });
});

it('leaves names alone that only look like those of a restore, and folders of other sources', async () => {
  mkdirSync(path.join(out, 'www'));
  const kept = [
    '.backupx-restore-4194303.1-notes.txt',
    '.backupx-restore-notes',
    '.backupx-restore-4194303.1-00ff00ff',
  ];
  for (const name of kept.slice(0, 2)) writeFileSync(path.join(out, 'www', name), 'mine');
  mkdirSync(path.join(out, 'www', kept[2] ?? ''));
  await restoreAll([entry('/srv/www', 'directory')]);
  expect(readdirSync(path.join(out, 'www')).sort()).toEqual([...kept].sort());
  expect(problems).toEqual([]);
});

describe('places', () => {
  it('puts a root under its last name, or everything under its full path when names repeat', async () => {
    await restoreAll([entry('/srv/www/a', 'file')]);
    expect(existsSync(path.join(out, 'www', 'a'))).toBe(true);
    await restoreAll([entry('/srv/www/b', 'file'), entry('/opt/www/b', 'file')], {}, ['/srv/www', '/opt/www']);
    expect(existsSync(path.join(out, 'srv', 'www', 'b'))).toBe(true);
    expect(existsSync(path.join(out, 'opt', 'www', 'b'))).toBe(true);
  });

  it('takes archives whose names begin at the last name of the root', async () => {
    const home = path.join(root, 'home');
    await restoreAll(
      [entry('/home/a', 'file'), entry('/home/l', 'symlink', { linkTarget: 'a' })],
      { targetPath: null },
      [home],
    );
    expect(readdirSync(home)).toEqual(['a', 'l']);
    expect(readlinkSync(path.join(home, 'l'))).toBe('a');
    expect(() => linkSync(path.join(home, 'a'), path.join(home, 'b'))).not.toThrow();
  });
});
