import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, type RmOptions, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { removeSecretsOf, SecretFolder } from './secret-folder.ts';

/** What making a file or folder fails with; null: it does not. */
const refusal = vi.hoisted(() => ({ code: null as string | null }));
/** What a dead process of another user left. */
const THEIRS = 'secrets-4194303.1-theirs';

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const refusing =
    <A extends unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      if (refusal.code) throw Object.assign(new Error('refused'), { code: refusal.code });
      return act(...args);
    };
  return {
    ...real,
    mkdirSync: refusing(real.mkdirSync),
    mkdtempSync: refusing(real.mkdtempSync),
    writeFileSync: refusing(real.writeFileSync),
    rmSync: (path: string, options: RmOptions): void => {
      if (path.endsWith(THEIRS)) throw Object.assign(new Error('refused'), { code: 'EACCES' });
      real.rmSync(path, options);
    },
  };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'backupx-secrets-'));
});
afterEach(() => {
  refusal.code = null;
  execFileSync('rm', ['-r', folder]);
});

it('says that there is no room, and leaves nothing', () => {
  refusal.code = 'ENOSPC';
  expect(() => new SecretFolder(folder)).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  refusal.code = null;
  const secrets = new SecretFolder(folder);
  refusal.code = 'EDQUOT';
  expect(() => secrets.write('a', 'b')).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  expect(() => secrets.folder('c')).toThrow(expect.objectContaining({ code: 'STORAGE_FULL' }));
  refusal.code = 'EACCES';
  expect(() => secrets.write('a', 'b')).toThrow('refused');
  secrets.remove();
  expect(readdirSync(folder)).toEqual([]);
});

it('ends what programs of a thread that was ended had split off, and removes its folder', async () => {
  const { path } = new SecretFolder(folder);
  const left = spawn('sleep', ['3600'], { env: { ...process.env, HOME: path }, stdio: 'ignore' });
  const ended = once(left, 'exit');
  removeSecretsOf(folder, threadId);
  expect(readdirSync(folder)).toEqual([]);
  expect(await ended).toEqual([null, 'SIGKILL']);
});

it('removes what dead processes left, and goes on where that is of another user', () => {
  for (const name of [THEIRS, 'secrets-of-others', 'secrets-4194303.1.t3-zzzzzz', 'secrets-4194303.1-zzzzzz'])
    mkdirSync(join(folder, name));
  const { path } = new SecretFolder(folder);
  expect(readdirSync(folder).sort()).toEqual([basename(path), THEIRS, 'secrets-of-others'].sort());
});
