import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startScratch } from './start-scratch.ts';

let tempDir: string;
let pids: number[];
beforeEach(() => {
  tempDir = mkdtempSync(join(tmpdir(), 'start-scratch-'));
  pids = [];
});
afterEach(() => rmSync(tempDir, { recursive: true, force: true }));

/** A "server" that tells its number when it is there; `open` answers once it is, unless it is to fail. */
const start = (parts: { prepare?: () => void; failure?: Error; close?: () => Promise<void> }) =>
  startScratch({
    ...{ tempDir, signal: new AbortController().signal, name: 'thed' },
    prepare: parts.prepare ?? (() => {}),
    command: (folder) => ({ program: '/bin/sh', args: ['-c', `echo $$ >${folder}/pid; exec sleep 600`] }),
    async open(folder) {
      const text = existsSync(join(folder, 'pid')) ? readFileSync(join(folder, 'pid'), 'utf8') : '';
      if (!text.endsWith('\n')) throw new AppError('DATABASE_UNREACHABLE', { server: 'it', reason: 'not yet' });
      pids.push(Number(text));
      if (parts.failure) throw parts.failure;
      return { close: parts.close ?? (async () => {}) };
    },
  });

function expectNothingLeft(): void {
  expect(readdirSync(tempDir)).toEqual([]);
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
}

it('ends and removes it, also when nobody can log out any more', async () => {
  const scratch = await start({});
  expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([true]);
  await scratch.close();
  expectNothingLeft();
  const broken = await start({ close: () => Promise.reject(new Error('the connection is gone')) });
  expect(pids).toHaveLength(2);
  await expect(broken.close()).rejects.toThrow('the connection is gone');
  expectNothingLeft();
});

it('leaves nothing when it cannot be prepared, or lets nobody in', async () => {
  const failure = new Error('there is no room');
  const prepare = () => {
    throw failure;
  };
  await expect(start({ prepare })).rejects.toBe(failure);
  expectNothingLeft();
  await expect(start({ failure })).rejects.toBe(failure);
  expect(pids).toHaveLength(1);
  expectNothingLeft();
});
