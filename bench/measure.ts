/** Runs commands and measures the whole process tree: wall clock, CPU seconds (user + system), peak memory. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Measurement {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly stdout: string;
}

/** Throws when the command fails. `pipefail` is on, so a broken pipe part counts. */
export function measure(command: string): Measurement {
  const script = `set -euo pipefail; TIMEFORMAT='@@ %R %U %S'; time { ${command} ; }`;
  const result = spawnSync('bash', ['-c', script], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return readFigures(result, command);
}

export interface ProcessMeasurement extends Measurement {
  /** Resident set at its highest, MB; 0 where /proc does not tell. */
  readonly peakMegabytes: number;
}

export interface ProcessStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** Runs one program without a shell in between. Throws when it fails. */
export async function measureProcess(start: ProcessStart): Promise<ProcessMeasurement> {
  const script = `TIMEFORMAT='@@ %R %U %S'; time "$@"`;
  const child = spawn('bash', ['-c', script, 'bash', start.program, ...start.args], {
    cwd: start.cwd,
    env: { ...process.env, ...start.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr, peak] = ['', '', 0];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-100_000);
  });
  child.stdin.end(start.input ?? '');
  const timer = setInterval(() => {
    peak = Math.max(peak, readPeak(child.pid ?? 0));
  }, 20);
  const status = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  clearInterval(timer);
  const figures = readFigures({ status, stdout, stderr }, `${start.program} ${start.args.join(' ')}`);
  return { ...figures, peakMegabytes: Math.round(peak / 1024) };
}

/** High-water mark of the children of `pid`, KB. */
function readPeak(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    const marks = children.map((child) => /VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1]);
    return Math.max(0, ...marks.map(Number).filter((mark) => mark > 0));
  } catch {
    return 0;
  }
}

function readFigures(result: { status: number | null; stdout: string; stderr: string }, command: string): Measurement {
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
