/** Starts the shipped program (`backupx …`) as a user would and waits until it answers; stops it with its whole group. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { atExit } from './at-exit.ts';

export const root = path.resolve(import.meta.dirname, '..', '..');
const program = path.join(root, 'apps', 'cli', 'bin', 'backupx.mjs');

export interface Program {
  readonly child: ChildProcess;
  /** Everything it printed so far, both streams. */
  output(): string;
  /** Sends a signal and waits for the end; answers the exit code (128 + signal when killed). */
  stop(signal?: NodeJS.Signals, timeoutMs?: number): Promise<number>;
  readonly ended: Promise<number>;
}

const running = new Set<ChildProcess>();
atExit(() => {
  for (const child of running) killGroup(child, 'SIGKILL');
});

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal);
  } catch {
    // It has gone already.
  }
}

export function startProgram(
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Program {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15));
    });
  });
  return {
    child,
    output: () => text,
    ended,
    async stop(signal = 'SIGTERM', timeoutMs = 40_000) {
      if (signal === 'SIGKILL') killGroup(child, 'SIGKILL');
      else child.kill(signal);
      const timer = setTimeout(() => killGroup(child, 'SIGKILL'), timeoutMs);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
  };
}

/**
 * Where ports are looked for: below those that Linux gives to whoever connects or binds to port 0. Test files that run
 * at the same time look in parts of their own, so a port found there stays free until its server has started, and while
 * that is started anew.
 */
const ports = { first: 12_000, count: 20_000, parts: 4 };
const perPart = ports.count / ports.parts;
const firstOfPart = ports.first + (Number(process.env.VITEST_POOL_ID ?? 0) % ports.parts) * perPart;
let nextPort = Math.floor(Math.random() * perPart);

/** A free port on loopback; never the same one twice in a process. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < perPart; tried++) {
    const port = firstOfPart + (nextPort++ % perPart);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${firstOfPart} to ${firstOfPart + perPart - 1} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/**
 * Calls `probe` until it answers something truthy; fails with `what` after `timeoutMs`, which is long: a busy machine is
 * no failure.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | null | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
}
