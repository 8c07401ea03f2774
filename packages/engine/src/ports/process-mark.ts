/**
 * Names for temporary things that tell which process made them, so that the next one can clear away what a killed
 * process left without touching what a living one uses. A process id alone is used again, above all in containers;
 * together with the start time of the process (field 22 of /proc/<pid>/stat) it is not.
 */
import { readFileSync } from 'node:fs';

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

/** False when the process that made `mark` is certainly gone. */
export function isMarkAlive(mark: string): boolean {
  if (mark === processMark) return true;
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
