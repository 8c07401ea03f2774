/** `backupx repo …` as a process on a repository in a folder of its own, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const program = fileURLToPath(new URL('../../bin/backupx.mjs', import.meta.url));
const LOCK_WAIT_MS = 20_000;

/** Its commands work on the repository `repo` with the password in the file `password`, both in `dir`. */
export class RepoCommands {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'backupx-cli-repo-'));

  constructor() {
    mkdirSync(this.at('temp'));
    writeFileSync(this.at('password'), 'correct horse\n');
  }

  at(...parts: string[]): string {
    return path.join(this.dir, ...parts);
  }

  start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    const own = {
      BACKUPX_REPO: this.at('repo'),
      BACKUPX_REPO_PASSWORD_FILE: this.at('password'),
      TMPDIR: this.at('temp'),
    };
    const env = { ...process.env, ...own, ...environment };
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    return spawn(process.execPath, [program, 'repo', ...args], { env, cwd: this.dir, stdio: [...stdio] });
  }

  async run(args: readonly string[], environment: Record<string, string> = {}) {
    const child = this.start(args, environment);
    const closed = once(child, 'close');
    if (!child.stdout || !child.stderr) throw new Error('no pipes');
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    const [code] = (await closed) as [number | null];
    return { code, bytes: stdout, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** The same, for a command that must end with 0. */
  async ok(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  async json<T>(args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run([...args, '--json']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return JSON.parse(stdout) as T;
  }

  /** Names of the files in a folder of the repository. */
  files(folder: string): string[] {
    if (!existsSync(this.at('repo', folder))) return [];
    const items = readdirSync(this.at('repo', folder), { recursive: true, withFileTypes: true });
    return items.filter((item) => item.isFile()).map((item) => path.join(item.parentPath, item.name));
  }

  /** Starts work that goes on for long, and waits until it holds its lock. */
  async startHolding(args: readonly string[]): Promise<ChildProcess> {
    const child = this.start(args);
    const until = performance.now() + LOCK_WAIT_MS;
    while (this.#locks().length === 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(this.#locks()).toHaveLength(1);
    return child;
  }

  /** A storage that writes tries out the folder with a file of another name first. */
  #locks(): string[] {
    return this.files('locks').filter((file) => /^[0-9a-f]{64}$/.test(path.basename(file)));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
