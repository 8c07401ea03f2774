import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serverOn } from './running-server.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'running-server-'));
  for (const name of ['data', 'seen']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'data/ibdata1'), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('finds who holds a file under another path, as a server in a container does', async () => {
  const seen = join(folder, 'seen/ibdata1');
  linkSync(join(folder, 'data/ibdata1'), seen);
  expect(serverOn(join(folder, 'data'))).toBeNull();
  // `cat` itself holds the lock, and echoes when it does.
  const holder = spawn('flock', ['--no-fork', seen, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  holder.stdin.write('locked');
  const ended = new Promise((resolve) => holder.once('close', resolve));
  try {
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(serverOn(join(folder, 'data'))).toBe(holder.pid);
  } finally {
    holder.stdin.end();
    await ended;
  }
  expect(serverOn(join(folder, 'data'))).toBeNull();
});
