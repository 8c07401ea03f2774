/**
 * Folders that HANA writes one backup into. They are named for the thread that uses them, since a run that is cancelled
 * ends with its thread, in the middle of things: what it left is removed by the next run.
 */
import { chownSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { SystemUser } from './system-user.ts';

const NAME = /^backupx-run-(\d+)\.(\d+)\.(\d+)-/;

/** A new folder for one backup. Throws SOURCE_FAILED. */
export function makeBackupFolder(parent: string, owner: SystemUser | null): string {
  if (parent === '') throw new AppError('SOURCE_FAILED', { reason: 'no folder for backups is set' });
  try {
    for (const name of readdirSync(parent)) if (isLeft(name)) removeBackupFolder(join(parent, name));
    const folder = mkdtempSync(join(parent, `backupx-run-${ownMark()}-`));
    // The parent is HANA's, so whoever owns it may write; only root can give a folder away.
    const writer = owner ?? (process.getuid?.() === 0 ? statSync(parent) : null);
    if (writer) chownSync(folder, writer.uid, writer.gid);
    return folder;
  } catch (error) {
    const reason = `${parent} cannot be used: ${(error as Error).message}`;
    throw new AppError('SOURCE_FAILED', { reason }, { cause: error });
  }
}

/** Idempotent. */
export function removeBackupFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Process, thread, and when the thread started: numbers alone are used again. */
function ownMark(): string {
  const [pid = '', , thread = ''] = readlinkSync('/proc/thread-self').split('/');
  return `${pid}.${thread}.${startOf(pid, thread)}`;
}

function isLeft(name: string): boolean {
  const [, pid = '', thread = '', start] = NAME.exec(name) ?? [];
  return start !== undefined && startOf(pid, thread) !== start;
}

function startOf(pid: string, thread: string): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
