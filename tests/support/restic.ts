/**
 * Stock restic as a judge: Debian's, and where the Go tools are on the machine a current one beside it, built once
 * from the Go module proxy. No network, no cache (a cache would hide damage), no settings of the user.
 */
import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { findModernRestic, MODERN_VERSION } from './modern-restic.ts';

/** What restic says before it tries a damaged or missing file again. */
const COMPLAINT = /returned error, retrying/;
/** Hex digits of an id that restic prints at least. */
export const SHORT_ID = 8;

export interface ResticRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ResticOptions {
  readonly input?: string | Buffer;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Killed after this time; the status is then 137. Default three minutes. */
  readonly timeoutMs?: number;
  /** Killed (status 137) as soon as its error output passes: restic tries a damaged file again for minutes. */
  readonly stopAt?: Pick<RegExp, 'test'> | undefined;
}

/** One repository as one restic sees it. */
export interface ResticRepository {
  /** Runs a command whatever its exit code. */
  run(args: readonly string[], options?: ResticOptions): Promise<ResticRun>;
  /** Runs a command that must succeed; answers what it printed. */
  ok(args: readonly string[], options?: ResticOptions): Promise<string>;
  /** The same with `--json`: one value per line, or the one array that some commands print. */
  json<T>(args: readonly string[], options?: ResticOptions): Promise<T[]>;
  /** Restores a whole snapshot below `target`, sparse where this restic can. */
  restore(snapshot: string, target: string): Promise<void>;
  /**
   * `check --read-data` must be clean. Takes stale locks (dead process, this host) away first; `isLeavingLocks`: looks
   * past them, in half the time.
   */
  mustBeClean(options?: { readonly isLeavingLocks?: boolean }): Promise<void>;
  /** `check --read-data` must complain, and name each of these files by the beginning of its name; answers what it said. */
  mustComplain(names?: readonly string[]): Promise<string>;
}

export interface Restic {
  /** `restic 0.14.0`. */
  readonly name: string;
  readonly program: string;
  /** 0.17 or later: exit codes 10, 11 and 12, sparse restores, `--json` of every command. */
  readonly isModern: boolean;
  open(location: string, password: string): ResticRepository;
}

function runRestic(
  program: string,
  args: readonly string[],
  options: ResticOptions & { env: Record<string, string> },
): Promise<ResticRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? tmpdir(),
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', TMPDIR: tmpdir(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 180_000);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr.push(chunk);
      if (options.stopAt?.test(Buffer.concat(stderr).toString())) child.kill('SIGKILL');
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({
        status: code ?? 137,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}

function openWith(judge: Pick<Restic, 'program' | 'isModern'>, location: string, password: string): ResticRepository {
  const run: ResticRepository['run'] = (args, options = {}) =>
    runRestic(judge.program, ['--no-cache', ...args], {
      ...options,
      env: { RESTIC_REPOSITORY: location, RESTIC_PASSWORD: password, ...options.env },
    });
  const ok: ResticRepository['ok'] = async (args, options) => {
    const result = await run(args, options);
    if (result.status !== 0)
      throw new Error(`restic ${args.join(' ')}: exit ${result.status}\n${result.stderr}${result.stdout}`);
    return result.stdout;
  };
  return {
    run,
    ok,
    async json<T>(args: readonly string[], options?: ResticOptions) {
      const text = await ok(['--json', ...args], options);
      const values = text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => JSON.parse(line) as T | T[] | null);
      return values.flatMap((value) => (value === null ? [] : value));
    },
    async restore(snapshot, target) {
      await ok(['restore', snapshot, '--target', target, ...(judge.isModern ? ['--sparse'] : [])]);
    },
    async mustBeClean({ isLeavingLocks = false } = {}) {
      if (!isLeavingLocks) await ok(['unlock']);
      await ok(['check', '--read-data', ...(isLeavingLocks ? ['--no-lock'] : [])]);
    },
    async mustComplain(names = []) {
      const isNamed = (text: string): boolean => names.every((name) => text.includes(name.slice(0, SHORT_ID)));
      const stopAt = { test: (text: string) => COMPLAINT.test(text) && isNamed(text) };
      const { status, stdout, stderr } = await run(['check', '--read-data'], { stopAt, timeoutMs: 150_000 });
      const said = `${stdout}${stderr}`;
      const isComplaint = status !== 0 && (status !== 137 || COMPLAINT.test(stderr));
      if (!isComplaint) throw new Error(`restic finds nothing wrong: exit ${status}\n${said}`);
      if (!isNamed(said)) throw new Error(`restic does not name all of ${names.join(', ')}\n${said}`);
      return said;
    },
  };
}

function describeProgram(program: string): Restic {
  const name = /^restic [\d.]+/.exec(spawnSync(program, ['version'], { encoding: 'utf8' }).stdout)?.[0];
  if (!name) throw new Error(`${program} does not say its version; run tests/install-peers.sh`);
  const judge = { name, program, isModern: Number(name.split('.')[1]) >= 17 };
  return { ...judge, open: (location, password) => openWith(judge, location, password) };
}

/** Debian's restic. */
export const restic = describeProgram('restic');

let modern: Restic | string | null = null;

/** The current restic, or the reason why there is none here. */
export function modernRestic(): Restic | string {
  const found = modern ?? findModern();
  modern = found;
  return found;
}

function findModern(): Restic | string {
  const { program, whyNot } = findModernRestic();
  return program === null ? whyNot : describeProgram(program);
}

/** The same judges with every restic; where the current one is missing they are skipped and say why. */
export function forEachRestic(title: string, body: (judge: Restic) => void): void {
  describe(`${title}, ${restic.name}`, () => body(restic));
  const current = modernRestic();
  if (typeof current === 'string') describe.skip(`${title}, restic ${MODERN_VERSION} (${current})`, () => body(restic));
  else describe(`${title}, ${current.name}`, () => body(current));
}
