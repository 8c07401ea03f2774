/** Builds the console's files when they are missing or older than their sources; a checkout has none at first. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Terminal } from './output/terminal.ts';

const buildLimitMs = 5 * 60_000;

/** Folder of the web workspace; null in an installation that ships only the built files. */
export function findWebFolder(): string | null {
  const folder = fileURLToPath(new URL('../../web/', import.meta.url));
  return existsSync(join(folder, 'vite.config.ts')) ? folder : null;
}

/** True when the built page is missing or a source is newer. */
export function needsBuild(folder: string): boolean {
  const built = statSync(join(folder, 'dist', 'index.html'), { throwIfNoEntry: false });
  if (!built) return true;
  const contracts = join(folder, '..', '..', 'packages', 'contracts', 'src');
  const sources = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json'].map((name) => join(folder, name));
  return newestChange([...sources, contracts]) > built.mtimeMs;
}

/** Builds when needed. A failure is told, with the build's output, and is no reason not to go on. */
export async function buildConsole(terminal: Terminal): Promise<void> {
  const folder = findWebFolder();
  if (folder === null || !needsBuild(folder)) return;
  terminal.say('Building the console (once)…');
  const failure = await runBuild(folder);
  if (failure === null) return;
  terminal.say(failure.trimEnd());
  terminal.say('The console could not be built; going on without it. Backups and the command line work.');
}

/** Output of the build when it failed, null when it went well. */
function runBuild(folder: string): Promise<string | null> {
  const vite = findVite(folder);
  if (vite === null) return Promise.resolve('vite is not installed; run "npm ci" without --omit=dev.');
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [vite, 'build'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: buildLimitMs,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? null : output || `the build ended with code ${code}`));
  });
}

function findVite(folder: string): string | null {
  const candidates = [folder, join(folder, '..', '..')].map((base) => join(base, 'node_modules/vite/bin/vite.js'));
  return candidates.find((path) => existsSync(path)) ?? null;
}

function newestChange(paths: readonly string[]): number {
  let newestMs = 0;
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) continue;
    newestMs = Math.max(newestMs, stat.mtimeMs);
    if (stat.isDirectory())
      newestMs = Math.max(newestMs, newestChange(readdirSync(path).map((name) => join(path, name))));
  }
  return newestMs;
}
