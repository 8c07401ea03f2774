/** An archive of PostgreSQL's log in a folder, and the program as a server or a person starts it. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const program = path.resolve(import.meta.dirname, '../../apps/cli/bin/backupx.mjs');

export interface WalPlace {
  readonly folder: string;
  /** Where a local disk keeps the archive. */
  readonly store: string;
  readonly config: string;
  /** A script that is the program, for a server. */
  readonly script: string;
  at(name: string): string;
}

export interface WalEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Makes a folder that the user of a server can use. `lines`: more of the parameter file. */
export function makeWalPlace(folder: string, lines: readonly string[] = []): WalPlace {
  const store = path.join(folder, 'disk', 'store');
  const config = path.join(folder, 'wal.conf');
  const script = path.join(folder, 'backupx');
  mkdirSync(path.dirname(store), { recursive: true });
  const says = (key: string) => lines.some((line) => line.startsWith(`${key} =`));
  const disk = says('storage.basePath')
    ? ['storage = local_disk']
    : ['storage = local_disk', `storage.basePath = ${store}`];
  writeFileSync(config, [...(says('storage') ? [] : disk), ...lines, ''].join('\n'), { mode: 0o600 });
  const cache = path.join(folder, 'cache');
  mkdirSync(cache);
  writeFileSync(
    script,
    `#!/bin/sh\nexport HOME='${folder}' NODE_COMPILE_CACHE='${cache}'\nexec '${process.execPath}' '${program}' "$@"\n`,
  );
  chmodSync(script, 0o755);
  return { folder, store, config, script, at: (name) => path.join(folder, name) };
}

/** Gives a folder to the user of a server: whoever owns `owner`. */
export function giveTo(owner: string, folder: string): void {
  spawnSync('chown', ['-R', `--reference=${owner}`, folder]);
}

/** Starts `backupx wal …`. */
export const startWal = (args: readonly string[], options: { cwd?: string } = {}) =>
  startBackupx(['wal', ...args], options);

/** Starts the program itself. */
export function startBackupx(args: readonly string[], options: { cwd?: string } = {}) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      output[stream] += chunk.toString();
    });
  }
  const ended = new Promise<WalEnd>((resolve) => {
    child.on('close', (code, signal) => resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 128), ...output }));
  });
  return { child, ended, output };
}

/** Runs it to its end. */
export function runWal(...args: readonly string[]): Promise<WalEnd> {
  return startWal(args).ended;
}

export interface StoredFile {
  readonly name: string;
  readonly sha256: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** What a listing of the disk shows, without unfinished writes. */
export function filesIn(store: string): StoredFile[] {
  if (!existsSync(store)) return [];
  return readdirSync(store, { recursive: true, withFileTypes: true })
    .flatMap((entry) => {
      const [, name, sha256] = /^([0-9A-Fa-z.]+)-([0-9a-f]{64})\.zst(\.age)?$/.exec(entry.name) ?? [];
      const file = path.join(entry.parentPath, entry.name);
      return name && sha256 ? [{ name, sha256, path: file, sizeBytes: statSync(file).size }] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** A segment with a real header, of 1 MiB, whose other bytes hardly compress. */
export function makeSegment(number: number, options: { seed?: number; cluster?: bigint } = {}): Buffer {
  const sizeBytes = 2 ** 20;
  const bytes = Buffer.alloc(sizeBytes);
  let state = (options.seed ?? number) + 1;
  for (let at = 0; at < sizeBytes; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(number) * BigInt(sizeBytes), 8);
  bytes.writeBigUInt64LE(options.cluster ?? 4242n, 24);
  bytes.writeUInt32LE(sizeBytes, 32);
  return bytes;
}

/** Its name on the first timeline. */
export function segmentNameOf(number: number): string {
  return `00000001${Math.floor(number / 4096)
    .toString(16)
    .toUpperCase()
    .padStart(8, '0')}${(number % 4096).toString(16).toUpperCase().padStart(8, '0')}`;
}
