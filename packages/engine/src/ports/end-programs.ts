import { readdirSync, readFileSync } from 'node:fs';

/**
 * Ends programs that a killed process has left behind, known by their home, which lies in `folder`. A program that is
 * started directly goes with its process; what it has split off itself, as a parallel dump does, goes on for as long as
 * its work takes. Where there is no /proc nothing happens.
 */
export function endProgramsIn(folder: string): void {
  for (const pid of processIds()) {
    if (pid === process.pid || !livesIn(pid, folder)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has gone meanwhile, or belongs to somebody else.
    }
  }
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function livesIn(pid: number, folder: string): boolean {
  const home = Buffer.from(`HOME=${folder}`).toString('latin1');
  try {
    const lines = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return lines.some((line) => line === home || line.startsWith(`${home}/`));
  } catch {
    return false;
  }
}
