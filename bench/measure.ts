/** Runs a shell command and measures the whole process tree: wall clock and CPU seconds (user + system). */
import { spawnSync } from 'node:child_process';

export interface Measurement {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly stdout: string;
}

/** Throws when the command fails. `pipefail` is on, so a broken pipe part counts. */
export function measure(command: string): Measurement {
  const script = `set -euo pipefail; TIMEFORMAT='@@ %R %U %S'; time { ${command} ; }`;
  const result = spawnSync('bash', ['-c', script], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const figures = /@@ ([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(result.stderr);
  if (result.status !== 0 || !figures)
    throw new Error(`failed (${result.status}): ${command}\n${result.stderr.slice(-2000)}`);
  return {
    wallSeconds: Number(figures[1]),
    cpuSeconds: Number(figures[2]) + Number(figures[3]),
    stdout: result.stdout,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
