import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
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

/** Restores the file in a process that ends itself by SIGKILL when its content is written. */
function restoreAndDie(item: Pick<RestoreEntry, 'mode'>): void {
  const script = `
    const { openRestoreSession } = await import(${JSON.stringify(new URL('./restore-session.ts', import.meta.url).href)});
    const session = await openRestoreSession(['/srv/www'], {
      signal: new AbortController().signal, targetPath: ${JSON.stringify(out)}, options: {}, paths: null,
      overwrite: 'always', tempDir: ${JSON.stringify(path.join(root, 'temp'))}, isVerified: true,
      problem() {}, log() {}, progress({ bytes }) { if (bytes) process.kill(process.pid, 'SIGKILL'); },
    });
    session.openFile({ path: Buffer.from('/srv/www/a'), type: 'file', mode: ${item.mode}, uid: 0, gid: 0, userName: '',
      groupName: '', modifiedAtNs: 1n, linkTarget: null, deviceMajor: 0, deviceMinor: 0, xattrs: null, sizeBytes: 6,
    }).writeAt(Buffer.from('broken'), 0);`;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect([run.signal, run.stderr]).toEqual(['SIGKILL', '']);
}

describe('a file that was not ended', () => {
  it.each<OverwriteMode>(['never', 'if_newer', 'always'])(
    'is known after a kill, and replaced by the next restore (%s)',
    async (overwrite) => {
      restoreAndDie({ mode: 0o644 });
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
    restoreAndDie({ mode: UNFINISHED_MODE });
    expect(existsSync(at('a'))).toBe(false);
  });

  it('is removed when it is given up, but not what stands in its place by then', async () => {
    const { session, begin } = await open();
    const [gone, replaced] = ['gone', 'replaced'].map((name) => begin(entry(name)));
    for (const file of [gone, replaced]) file?.writeAt(Buffer.from('abcdef'), 0);
    expect(['gone', 'replaced'].map(modeOf)).toEqual([UNFINISHED_MODE, UNFINISHED_MODE]);
    writeFileSync(path.join(root, 'theirs'), 'theirs');
    renameSync(path.join(root, 'theirs'), at('replaced'));
    for (const file of [gone, replaced]) file?.discard();
    await session.commit();
    expect([readdirSync(at('')), readFileSync(at('replaced'), 'utf8')]).toEqual([['replaced'], 'theirs']);
  });
});

it('makes files under another name where their mode would not tell that they are not ended', async () => {
  const before = process.umask(0o277);
  try {
    const { session, begin } = await open();
    for (const name of ['a', 'b']) {
      const file = begin(entry(name));
      file.writeAt(Buffer.from('abcdef'), 0);
      expect(existsSync(at(name))).toBe(false);
      file.finish();
    }
    await session.commit();
  } finally {
    process.umask(before);
  }
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
