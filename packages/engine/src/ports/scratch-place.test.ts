import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTool } from './processes.ts';
import { makeScratchFolder, makeSocketFolder, untilAnswered } from './scratch-place.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scratch-place-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('removes what a dead process left, and nothing else', () => {
  const dead = join(folder, 'backupx-verify-999999999.1-abcdef');
  mkdirSync(join(dead, 'data'), { recursive: true });
  mkdirSync(join(folder, 'backupx-other'));
  // Of somebody else, who has chosen the same beginning.
  mkdirSync(join(folder, 'backupx-verify-Ab3dEf'));
  const first = makeScratchFolder(folder);
  const second = makeScratchFolder(folder);
  expect(readdirSync(folder).sort()).toEqual([
    'backupx-other',
    ...[first, second].map((path) => path.slice(folder.length + 1)).sort(),
    'backupx-verify-Ab3dEf',
  ]);
  expect(statSync(first).mode & 0o777).toBe(0o700);
});

it('goes where the path is short enough for a socket', () => {
  const deep = join(folder, 'x'.repeat(90));
  const place = makeSocketFolder(deep);
  try {
    expect(place.startsWith(tmpdir())).toBe(true);
    expect(place.startsWith(deep)).toBe(false);
    expect(readdirSync(deep)).toEqual([]);
  } finally {
    rmSync(place, { recursive: true });
  }
});

const unreachable = () => Promise.reject(new AppError('DATABASE_UNREACHABLE', { server: 'it', reason: 'not yet' }));

it('tells of a server that ends before it answers', async () => {
  const { signal } = new AbortController();
  const args = ['-c', `echo one >${folder}/log; echo two >>${folder}/log`];
  const running = startTool({ program: '/bin/sh', args }, signal);
  const started = untilAnswered(running, { open: unreachable, name: 'thed', logFile: join(folder, 'log'), signal });
  await expect(started).rejects.toMatchObject({
    code: 'DATABASE_TOOL_FAILED',
    params: { tool: 'thed', reason: 'one / two' },
  });
});

it('asks until there is an answer, and does not ask again after another error', async () => {
  const { signal } = new AbortController();
  const running = startTool({ program: '/bin/sleep', args: ['60'] }, signal);
  let asked = 0;
  const open = () => (++asked < 3 ? unreachable() : Promise.resolve('in'));
  const common = { name: 'thed', logFile: join(folder, 'log'), signal };
  expect(await untilAnswered(running, { ...common, open })).toBe('in');
  const refused = () => Promise.reject(new AppError('DATABASE_AUTH', { server: 'it', user: 'me', reason: 'no' }));
  await expect(untilAnswered(running, { ...common, open: refused })).rejects.toMatchObject({ code: 'DATABASE_AUTH' });
  running.kill();
  await running.ended;
});
