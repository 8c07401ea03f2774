/** What the tests against stock programs share: entries from a real folder, temporary folders, a way to run programs. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceEntry, SyncContent } from '@backupx/engine/ports/source';

/** Runs a program; throws with its error output when it fails. */
export function run(program: string, args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync(program, args, {
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input ? { input } : {}),
  });
}

export function makeTempDir(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'archive-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function writeStream(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(Uint8Array.from(chunk));
  writeFileSync(path, Buffer.concat(chunks));
}

const joinBytes = (folder: Buffer, name: Buffer) => Buffer.concat([folder, Buffer.from('/'), name]);

/** Entries of `root` and everything below it, stored under their absolute paths; hard links as links. */
export function* entriesBelow(root: string): Generator<SourceEntry> {
  yield* walk(Buffer.from(root), new Map());
}

function* walk(path: Buffer, firstNames: Map<bigint, Buffer>): Generator<SourceEntry> {
  const stat = lstatSync(path, { bigint: true });
  const first = stat.nlink > 1n && stat.isFile() ? firstNames.get(stat.ino) : undefined;
  const isDirectory = stat.isDirectory();
  const isSymlink = stat.isSymbolicLink();
  const plain = {
    path,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    userName: '',
    groupName: '',
    modifiedAtNs: stat.mtimeNs,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
  };
  if (first) yield { ...plain, type: 'hardlink', linkTarget: first, content: null };
  else if (isDirectory) yield { ...plain, type: 'directory', linkTarget: null, content: null };
  else if (isSymlink) {
    yield { ...plain, type: 'symlink', linkTarget: readlinkSync(path, { encoding: 'buffer' }), content: null };
  } else if (stat.isFIFO()) yield { ...plain, type: 'fifo', linkTarget: null, content: null };
  else {
    if (stat.nlink > 1n) firstNames.set(stat.ino, path);
    yield { ...plain, type: 'file', linkTarget: null, content: fileContent(path, Number(stat.size)) };
  }
  if (!isDirectory) return;
  for (const name of readdirSync(path, { encoding: 'buffer' })) yield* walk(joinBytes(path, name), firstNames);
}

function fileContent(path: Buffer, sizeBytes: number): SyncContent {
  const descriptor = openSync(path, 'r');
  return {
    kind: 'sync',
    sizeBytes,
    segments: null,
    read: (target, offset, length, position) => readSync(descriptor, target, offset, length, position),
    close: () => closeSync(descriptor),
  };
}

/** One line per item below `root`: name in hex, type, mode, owner, mtime in ns, size, link target, content checksum. */
export function describeTree(root: string): string[] {
  const script = `cd "$0" && find . -printf '%P|%y|%m|%U:%G|%T@|%n|%l|' \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\)`;
  const listing = run('sh', ['-c', script, root]).toString('latin1');
  // The size of a folder is a matter of the file system, and the checksum's own file name repeats the first column.
  return listing
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}
