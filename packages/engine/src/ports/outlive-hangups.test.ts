import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';

const module = new URL('./outlive-hangups.ts', import.meta.url).href;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that says when it is ready, and answers `alive` to a line on its input. */
async function startChild(code: string): Promise<ChildProcess> {
  const loop = `process.stdin.on('data', () => process.stdout.write('alive')); process.stdout.write('ready');`;
  const args = ['--input-type=module', '-e', `${code}; ${loop}`];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  children.push(child);
  if (!child.stdout) throw new Error('no output');
  await once(child.stdout, 'data');
  return child;
}

describe('outliveHangups', () => {
  it('lets a process live that is asked by a signal whether it does', async () => {
    const child = await startChild(
      `const { outliveHangups } = await import('${module}'); outliveHangups(); outliveHangups()`,
    );
    for (let signals = 0; signals < 3; signals += 1) child.kill('SIGHUP');
    child.stdin?.write('?');
    const [answer] = await once(child.stdout ?? child, 'data');
    expect(String(answer)).toBe('alive');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
  });

  it('without it the signal is the end', async () => {
    const child = await startChild('');
    child.kill('SIGHUP');
    expect(await once(child, 'exit')).toEqual([null, 'SIGHUP']);
  });
});
