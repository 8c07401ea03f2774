/** Programs that are built once from the Go module proxy into the user's cache folder; for the tests and the benchmark. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

const BUILD_LIMIT_MS = 10 * 60_000;

export interface GoProgramSource {
  /** Of the program in the cache; the version is appended. */
  readonly name: string;
  /** `github.com/restic/restic` */
  readonly module: string;
  /** One that the Go checksum database vouches for, as Go writes it: `v0.18.1`. */
  readonly version: string;
  /** Folder of the main package in the module. */
  readonly folder: string;
  /** Handed to the linker. */
  readonly linkerFlags?: string;
  /** Files that the module as published lacks, by path in it. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface GoProgram {
  readonly program: string | null;
  readonly whyNot: string;
}

/** Waits while another process builds the same; answers whether it is for us to build. */
function claimBuild(lock: string, target: string): boolean {
  for (;;) {
    try {
      mkdirSync(lock);
      return !existsSync(target);
    } catch {
      // One that has just gone may be another one's already.
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > BUILD_LIMIT_MS) rmSync(lock, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
}

/** What is installed builds: no other toolchain is fetched, sums are verified. */
function go(args: readonly string[], cwd: string): { text: string; whyNot: string } {
  const env = { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local', CGO_ENABLED: '0', GOWORK: 'off' };
  const end = spawnSync('go', args, { cwd, encoding: 'utf8', timeout: BUILD_LIMIT_MS, env });
  const lastLine = (end.stderr ?? '').trim().split('\n').at(-1) || String(end.error ?? end.signal);
  return { text: end.stdout ?? '', whyNot: end.status === 0 ? '' : lastLine };
}

/** What the module cache holds is read-only. */
function makeWritable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(path.join(folder, entry.name));
  }
}

/** Builds in a copy of the module, with the sums of its dependencies that it brings along. Answers why it could not. */
function build(source: GoProgramSource, bin: string): string {
  const { module, version, folder, linkerFlags = '', files = {} } = source;
  const download = go(['mod', 'download', '-json', `${module}@${version}`], bin);
  if (download.whyNot) return download.whyNot;
  const copy = path.join(bin, 'source');
  cpSync((JSON.parse(download.text) as { Dir: string }).Dir, copy, { recursive: true });
  makeWritable(copy);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(copy, name), text);
  const output = path.join(bin, 'program');
  return go(['build', '-trimpath', '-ldflags', linkerFlags, '-o', output, `./${folder}`], copy).whyNot;
}

/** Its path, or the reason why there is none. The first call builds it, which takes a minute or two. */
export function findGoProgram(source: GoProgramSource): GoProgram {
  const cache = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'backupx-tests');
  const program = path.join(cache, `${source.name}-${source.version.replace(/^v/, '')}`);
  if (existsSync(program)) return { program, whyNot: '' };
  if (spawnSync('go', ['version']).status !== 0)
    return { program: null, whyNot: 'the Go tools are not on this machine' };
  mkdirSync(cache, { recursive: true });
  const lock = `${program}.lock`;
  const isOurs = claimBuild(lock, program);
  const bin = mkdtempSync(path.join(cache, 'build-'));
  try {
    const whyNot = isOurs ? build(source, bin) : '';
    if (whyNot) return { program: null, whyNot: `go cannot build ${source.name} ${source.version}: ${whyNot}` };
    if (isOurs) renameSync(path.join(bin, 'program'), program);
    return { program, whyNot: '' };
  } finally {
    rmSync(bin, { recursive: true, force: true });
    rmdirSync(lock);
  }
}
