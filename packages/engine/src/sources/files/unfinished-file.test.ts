import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { OverwriteMode } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestoreContext, RestoreEntry, RestoreFile } from '../../ports/source.ts';
import { openRestoreSession } from './restore-session.ts';
import { UNFINISHED_MODE } from './unfinished-file.ts';

let root: string;
let out: string;
let problems: unknown[];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-unfinished-test-'));
  out = path.join(root, 'out');
  mkdirSync(path.join(out, 'www'), { recursive: true });
  problems = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => path.join(out, 'www', name);
const modeOf = (name: string) => lstatSync(at(name)).mode & 0o7777;

function entry(name: string, more: Partial<RestoreEntry> = {}): RestoreEntry {
  return {
    path: Buffer.from(`/srv/www/${name}`),
    type: 'file',
    mode: 0o640,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    userName: '',
    groupName: '',
    modifiedAtNs: 1_700_000_000_000_000_000n,
    linkTarget: null,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    sizeBytes: 6,
    segments: null,
    content: null,
    ...more,
  };
}

async function open(more: Partial<RestoreContext> = {}) {
  const session = await openRestoreSession(['/srv/www'], {
    signal: new AbortController().signal,
    targetPath: out,
    options: {},
    paths: null,
    overwrite: 'always',
    tempDir: path.join(root, 'temp'),
    isVerified: true,
    problem: (problem) => problems.push(problem),
    log() {},
    progress() {},
    ...more,
  });
  const begin = (item: RestoreEntry): RestoreFile => {
    const file = session.openFile?.(item);
    if (!file) throw new Error('the file is not wanted');
    return file;
  };
  return { session, begin };
}

/** Restores the file in a process that ends itself by SIGKILL when its content is written and its mode is still to be set. */
function restoreAndDie(mode: number): void {
  const script = `
    const { openRestoreSession } = await import(${JSON.stringify(new URL('./restore-session.ts', import.meta.url).href)});
    const session = await openRestoreSession(['/srv/www'], {
      signal: new AbortController().signal, targetPath: ${JSON.stringify(out)}, options: {}, paths: null,
      overwrite: 'always', tempDir: ${JSON.stringify(path.join(root, 'temp'))}, isVerified: true,
      problem() {}, log() {}, progress() {},
    });
    const entry = { path: Buffer.from('/srv/www/a'), type: 'file', mode: ${mode}, uid: 0, gid: 0, userName: '',
      groupName: '', linkTarget: null, deviceMajor: 0, deviceMinor: 0, xattrs: null, sizeBytes: 6,
      get modifiedAtNs() { process.kill(process.pid, 'SIGKILL'); } };
    const file = session.openFile(entry);
    file.writeAt(Buffer.from('broken'), 0);
    file.finish();`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect([run.signal, run.stderr]).toEqual(['SIGKILL', '']);
}

describe('a file that was not ended', () => {
  it.each<OverwriteMode>(['never', 'if_newer', 'always'])(
    'is known after a kill, and replaced by the next restore (%s)',
    async (overwrite) => {
      restoreAndDie(0o644);
      expect([readdirSync(at('')), modeOf('a')]).toEqual([['a'], UNFINISHED_MODE]);
      const dry = await open({ overwrite, isDryRun: true });
      dry.begin(entry('a')).finish();
      expect(await dry.session.commit()).toMatchObject({ itemsWritten: 1, itemsSkipped: 0 });
      const { session, begin } = await open({ overwrite });
      const file = begin(entry('a'));
      file.closeExisting();
      file.writeAt(Buffer.from('abcdef'), 0);
      file.finish();
      expect(await session.commit()).toMatchObject({ itemsWritten: 1, itemsSkipped: 0 });
      expect([readdirSync(at('')), modeOf('a'), readFileSync(at('a'), 'utf8')]).toEqual([['a'], 0o640, 'abcdef']);
      expect(problems).toEqual([]);
    },
  );

  it('is one of no other size, and none whose own mode it is', async () => {
    writeFileSync(at('larger'), 'a larger file');
    writeFileSync(at('same'), 'theirs');
    for (const name of ['larger', 'same']) chmodSync(at(name), UNFINISHED_MODE);
    const { session } = await open({ overwrite: 'never' });
    expect(session.openFile?.(entry('larger'))).toBeNull();
    expect(session.openFile?.(entry('same', { mode: UNFINISHED_MODE }))).toBeNull();
    expect((await session.commit()).itemsSkipped).toBe(2);
  });

  it('never has that mode under its own name when it is to have it in the end', () => {
    restoreAndDie(UNFINISHED_MODE);
    expect(existsSync(at('a'))).toBe(false);
  });
});

it('is removed again when it is given up, and when the archive that it came in is damaged', async () => {
  const { session, begin } = await open();
  const file = begin(entry('given-up'));
  file.writeAt(Buffer.from('abcdef'), 0);
  file.discard();
  async function* cutOff() {
    yield Buffer.from('abc');
    throw new Error('the archive ends early');
  }
  await expect(session.write(entry('cut-off', { content: cutOff() }))).rejects.toThrow('the archive ends early');
  await session.commit();
  expect(readdirSync(at(''))).toEqual([]);
});

it('takes content in pieces, and none that is longer than was said', async () => {
  async function* pieces(...texts: string[]) {
    // The same memory again and again, as a reader of archives may have it.
    const memory = Buffer.alloc(10);
    for (const text of texts) yield memory.subarray(0, memory.write(text));
  }
  const { session } = await open({ isVerified: false });
  await session.write(entry('a', { content: pieces('abc', 'def') }));
  await session.write(entry('b', { content: pieces('abc', 'defg') }));
  await session.write(entry('c', { content: pieces(), sizeBytes: 0, mode: 0o4755 }));
  expect(modeOf('a')).toBe(0o640);
  await session.commit();
  expect([readdirSync(at('')), readFileSync(at('a'), 'utf8'), modeOf('c')]).toEqual([['a', 'c'], 'abcdef', 0o4755]);
  expect(problems).toEqual([expect.objectContaining({ path: '/srv/www/b', code: 'unsupported' })]);
});

it('makes files under another name where their mode would not tell that they are not ended', async () => {
  const { session, begin } = await open();
  const before = process.umask(0o277);
  try {
    for (const name of ['a', 'b']) {
      const file = begin(entry(name));
      file.writeAt(Buffer.from('abcdef'), 0);
      expect(existsSync(at(name))).toBe(false);
      file.finish();
    }
  } finally {
    process.umask(before);
  }
  await session.commit();
  expect(readdirSync(at(''))).toEqual(['a', 'b']);
  expect(['a', 'b'].map((name) => statSync(at(name)).mode & 0o7777)).toEqual([0o640, 0o640]);
});

it('does not take the place of what came there meanwhile without being whole', async () => {
  const { session, begin } = await open();
  const file = begin(entry('a'));
  writeFileSync(at('a'), 'theirs');
  file.writeAt(Buffer.from('abcdef'), 0);
  expect(readFileSync(at('a'), 'utf8')).toBe('theirs');
  file.finish();
  await session.commit();
  expect([readdirSync(at('')), readFileSync(at('a'), 'utf8')]).toEqual([['a'], 'abcdef']);
});
