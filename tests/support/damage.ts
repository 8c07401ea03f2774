/** Damages files of a repository in a folder, one kind of accident each. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** What lies in a repository; packs by what they hold. Names are hex. */
export interface RepositoryFiles {
  readonly folder: string;
  readonly dataPacks: readonly string[];
  readonly treePacks: readonly string[];
}

export const packPath = (id: string): string => `data/${id.slice(0, 2)}/${id}`;

export function namesIn(folder: string, type: 'index' | 'snapshots' | 'keys' | 'locks'): string[] {
  // A killed process leaves temporary files, which are no files of the repository.
  return readdirSync(path.join(folder, type))
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .sort();
}

/** Turns one bit around; `share` says where: 0 the first byte, 1 the last. */
export function flipBit(folder: string, file: string, share: number): void {
  const { size } = statSync(path.join(folder, file));
  flipBitAt(folder, file, Math.min(size - 1, Math.floor(size * share)));
}

export function flipBitAt(folder: string, file: string, at: number): void {
  const full = path.join(folder, file);
  const bytes = readFileSync(full);
  bytes[at] = (bytes[at] ?? 0) ^ 16;
  rewrite(full, bytes);
}

export function truncateFile(folder: string, file: string, share: number): void {
  const full = path.join(folder, file);
  truncateSync(full, Math.floor(statSync(full).size * share));
}

/** The last three bytes are gone: within the length of a pack's header. */
export function cutEnd(folder: string, file: string): void {
  const full = path.join(folder, file);
  truncateSync(full, statSync(full).size - 3);
}

export function appendJunk(folder: string, file: string): void {
  const full = path.join(folder, file);
  rewrite(full, Buffer.concat([readFileSync(full), Buffer.from('junk that nobody wrote')]));
}

export function swapFiles(folder: string, a: string, b: string): void {
  const [first, second] = [path.join(folder, a), path.join(folder, b)];
  renameSync(first, `${first}.swap`);
  renameSync(second, first);
  renameSync(`${first}.swap`, second);
}

export function removeFile(folder: string, file: string): void {
  rmSync(path.join(folder, file));
}

/** Files that nobody but a careless administrator, a synchronising program or a desktop puts there. */
export function scatterJunk(folder: string): void {
  const junk = {
    '.DS_Store': 'x',
    'README.txt': 'do not touch',
    'data/thumbs.db': 'x',
    'data/ab/not-a-pack': 'x',
    'data/zz/README': 'x',
    'index/.hidden': 'x',
    'snapshots/desktop.ini': 'x',
    'keys/backup-of-key': '{}',
    'locks/empty.lock': '',
    'unrelated/folder/file': 'x',
  };
  for (const [name, text] of Object.entries(junk)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

/** A fresh copy of a repository. Files stock programs wrote are read-only; the copies can be written. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}

function rewrite(full: string, bytes: Buffer): void {
  rmSync(full);
  writeFileSync(full, bytes);
}
