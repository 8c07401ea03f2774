/** A current restic, built once from the Go module proxy into the user's cache folder; for the tests and the benchmark. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** The newest release that the Go checksum database vouches for. */
export const MODERN_VERSION = '0.18.1';
const BUILD_LIMIT_MS = 10 * 60_000;

/** Waits while another process builds the same; answers whether the program is there now. */
function claimBuild(lock: string, target: string): boolean {
  for (;;) {
    try {
      mkdirSync(lock);
      return !existsSync(target);
    } catch {
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
      if (age > BUILD_LIMIT_MS) rmSync(lock, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
}

/** Builds with what is installed: no other toolchain is fetched, sums are verified. Answers why it could not. */
function goInstall(folder: string, target: string): string {
  const bin = mkdtempSync(path.join(folder, 'build-'));
  const source = `github.com/restic/restic/cmd/restic@v${MODERN_VERSION}`;
  const built = spawnSync('go', ['install', '-trimpath', source], {
    cwd: bin,
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
    env: { ...process.env, GOBIN: bin, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
  });
  if (built.status === 0) renameSync(path.join(bin, 'restic'), target);
  rmSync(bin, { recursive: true, force: true });
  const lastLine = built.stderr?.trim().split('\n').at(-1) ?? String(built.error);
  return built.status === 0 ? '' : `go cannot build restic ${MODERN_VERSION}: ${lastLine}`;
}

export interface ModernRestic {
  readonly program: string | null;
  readonly whyNot: string;
}

/** Its path, or the reason why there is none. The first call builds it, which takes a minute or two. */
export function findModernRestic(): ModernRestic {
  const folder = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'backupx-tests');
  const program = path.join(folder, `restic-${MODERN_VERSION}`);
  if (existsSync(program)) return { program, whyNot: '' };
  if (spawnSync('go', ['version']).status !== 0)
    return { program: null, whyNot: 'the Go tools are not on this machine' };
  mkdirSync(folder, { recursive: true });
  const lock = `${program}.lock`;
  const isOurs = claimBuild(lock, program);
  try {
    const whyNot = isOurs ? goInstall(folder, program) : '';
    return { program: whyNot ? null : program, whyNot };
  } finally {
    rmdirSync(lock);
  }
}
