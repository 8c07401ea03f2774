/**
 * Names for temporary things that tell which process made them, so that the next one can clear away what a killed
 * process left without touching what a living one uses. A process id alone is used again, above all in containers;
 * together with the start time of the process (field 22 of /proc/<pid>/stat) it is not.
 */
import { readFileSync, readlinkSync } from 'node:fs';

function startTicks(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Mark of this process: `<pid>.<start>`. */
export const processMark = `${process.pid}.${startTicks(process.pid) ?? '0'}`;

/**
 * The same for this thread: one that was ended in the middle leaves things although its process lives on. Threads have
 * numbers of the same kind as processes.
 */
export const threadMark = markOfThread();

function markOfThread(): string {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    const start = startTicks(thread);
    return start === null ? processMark : `${thread}.${start}`;
  } catch {
    return processMark;
  }
}

/** False when the process (or thread) that made `mark` is certainly gone. */
export function isMarkAlive(mark: string): boolean {
  if (mark === processMark || mark === threadMark) return true;
  const [pid, start] = mark.split('.');
  if (!pid || !/^\d+$/.test(pid)) return false;
  if (start !== '0') return startTicks(Number(pid)) === start;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
