/** What goes wrong with backups and restores of databases: disks that are full, runs that are cancelled or killed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DriverSettings, JobKind, JobOf } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import { type JobRunner, startJob } from './repository.ts';
import { type BackupMode, createSourceJobs } from './source-jobs.ts';
import { findTools, type SeenTool } from './tool-watch.ts';

/** Only root may mount, and in a container not even he. */
export const mayMount = process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'backupx-mount-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', folder]).status === 0;
  if (isMounted) execFileSync('umount', [folder]);
  rmdirSync(folder);
  return isMounted;
}

/** Runs something beside a file system in memory, which is soon full, at `folder`. */
export async function besideSmallDisk(folder: string, size: string, act: () => Promise<void>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder]);
  try {
    await act();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
}

/** All below a folder that others may be changing: what vanishes while it is looked at is looked at again. */
export function namesBelow(folder: string): string[] {
  while (existsSync(folder)) {
    try {
      return readdirSync(folder, { recursive: true, encoding: 'utf8' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return [];
}

/** What of backups is below a folder: artifacts, or snapshots of a repository. */
export function storedBelow(store: string): string[] {
  return namesBelow(store)
    .filter((name) => name.includes('backup') || /(?:^|\/)snapshots\/./.test(name))
    .sort();
}

/** What went wrong; throws when nothing did. */
export async function failureOf(run: Promise<unknown>): Promise<Error & { readonly code: string }> {
  const [ended] = await Promise.allSettled([run]);
  if (ended.status === 'fulfilled') throw new Error('it succeeded');
  return ended.reason;
}

/** A backup to a storage of 1 MiB at `folder`: what went wrong, and what is stored of it. */
export async function backupOntoFullDisk(
  runner: JobRunner,
  source: DriverSettings,
  { folder, mode }: { readonly folder: string; readonly mode: BackupMode },
): Promise<{ code: string; stored: string[] }> {
  let found = { code: '', stored: [''] };
  await besideSmallDisk(folder, '1m', async () => {
    const place = { path: folder, at: (...parts: string[]) => path.join(folder, ...parts), remove() {} };
    const jobs = await createSourceJobs(runner, place, mode);
    const { code } = await failureOf(runner.run({ ...jobs.backupJob(source), compression: 'none' }));
    found = { code, stored: storedBelow(jobs.store) };
  });
  return found;
}

/** Waits until something is so; far longer than it takes, also on a machine that is busy. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 90_000;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Waits for a program of this name with a word in its command line. */
export async function appeared(name: string, word: string): Promise<SeenTool> {
  let tool: SeenTool | undefined;
  await until(`a program ${name}`, () => {
    tool = findTools(word).find((one) => one.name === name);
    return tool !== undefined;
  });
  return tool as SeenTool;
}

export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Starts a job, cancels it when the moment has come, and answers what went wrong. All of it has ended then. */
export async function cancelled<K extends JobKind>(
  job: JobOf<K>,
  { tempDir, when }: { readonly tempDir: string; when(): Promise<unknown> },
): Promise<Error & { readonly code: string }> {
  const engine = createEngine({ tempDir, storageAttempts: 1 });
  const abort = new AbortController();
  const failure = failureOf(engine.run(job, { reporter: silentReporter, signal: abort.signal }));
  await Promise.race([when(), failure]);
  abort.abort();
  const error = await failure;
  await engine.close(5000);
  return error;
}

/** Kills the process of a job when a program of it has begun; answers when that program has gone too. */
export async function killedWith<K extends JobKind>(
  job: JobOf<K>,
  { tempDir, tool, onBegun }: { readonly tempDir: string; tool(): Promise<SeenTool>; onBegun?(): void },
): Promise<void> {
  const child = startJob(job, { tempDir });
  const { pid } = await tool();
  onBegun?.();
  await child.kill();
  await until('the end of a program whose starter was killed', () => !isAlive(pid));
}
