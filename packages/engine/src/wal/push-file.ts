/** Archives one file of the log: checked before, and called archived only when a listing of the storage shows it. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { Cluster, StoredWal } from './archive-keys.ts';
import { comparePartial } from './compare-partial.ts';
import type { WalArchiveStore } from './wal-archive-store.ts';
import { checkSegment, readWalHeader, WAL_HEADER_BYTES } from './wal-header.ts';
import { parseWalName, type WalName } from './wal-names.ts';

const READ_BYTES = 1024 * 1024;
/** Histories and labels of backups are a few lines. */
const MAX_TEXT_BYTES = 1024 * 1024;

export interface PushOptions {
  readonly signal: AbortSignal;
  /** What is stored under the same name goes, unless there is more of it: the unfinished segment of a receiver. */
  readonly isReplacing?: boolean;
}

/**
 * Answers how many bytes were stored; 0 when the same file was there already. Throws WAL_FILE_REFUSED, WAL_CONFLICT,
 * WAL_OTHER_CLUSTER, and what the storage throws; then PostgreSQL must keep the file.
 */
export async function pushFile(path: string, archive: WalArchiveStore, options: PushOptions): Promise<number> {
  const name = basename(path);
  const wal = parseWalName(name);
  if (!wal) throw refused(name, 'its name is not that of a segment, a history or a label of a backup');
  const file = await openFile(path, name);
  try {
    return await pushOpen({ wal, file, folder: dirname(path) }, archive, options);
  } finally {
    await file.close();
  }
}

interface OpenWal {
  readonly wal: WalName;
  readonly file: FileHandle;
  readonly folder: string;
}

async function pushOpen(open: OpenWal, archive: WalArchiveStore, options: PushOptions): Promise<number> {
  const { wal, file } = open;
  const { signal, isReplacing = false } = options;
  const cluster = await clusterOf(open, archive, signal);
  await archive.claim(cluster, signal);
  const sha256 = await hashFile(file);
  const push = { wal, file, archive, sha256, isReplacing, signal, older: new Set<string>() };
  if (await isThere(push)) return 0;
  if (!isReplacing) {
    await archive.take(wal, sha256, signal);
    // Perhaps it has come since we looked. Whoever comes later finds the name taken.
    if (await isThere(push).catch((error: unknown) => refuse(push, error))) return await giveBack(push, 0);
  }
  const put = await archive.put(
    { file: wal, sha256, systemIdentifier: cluster.systemIdentifier, read: () => readFrom(file) },
    signal,
  );
  await assertStored(push, put);
  return isReplacing ? put.sizeBytes : await giveBack(push, put.sizeBytes);
}

interface Push {
  readonly wal: WalName;
  readonly file: FileHandle;
  readonly archive: WalArchiveStore;
  readonly sha256: string;
  readonly isReplacing: boolean;
  readonly signal: AbortSignal;
  /** Keys of what was stored before ours, and has less. */
  readonly older: Set<string>;
}

/** True: the archive has this content, or one that goes on from it, and it is sound. Throws WAL_CONFLICT. */
async function isThere(push: Push): Promise<boolean> {
  const { wal, archive, sha256, isReplacing, signal } = push;
  const stored = await archive.find(wal, signal);
  const others = stored.filter((item) => item.sha256 !== sha256);
  if (!isReplacing && others.length > 0) throw conflict(wal.name);
  for (const item of others) {
    if (await isMore(item, push)) return true;
    push.older.add(item.key);
  }
  const same = stored.find((item) => item.sha256 === sha256);
  if (!same || !(await isSound(same, archive, signal))) return false;
  // Older ones that a kill has left.
  for (const item of others) await archive.delete(item, signal);
  return true;
}

/**
 * A receiver that has begun a segment anew has less of it than is stored, and perhaps never gets the rest. What cannot be
 * read here, for want of a key, is believed to be older. Throws WAL_CONFLICT when it is of another server.
 */
async function isMore(stored: StoredWal, { wal, file, archive, signal }: Push): Promise<boolean> {
  if (!archive.canRead(stored)) return false;
  try {
    const progress = await comparePartial(archive.open(stored, signal), file);
    if (progress === 'other') throw conflict(wal.name);
    return progress === 'more';
  } catch (error) {
    if (error instanceof AppError && error.code === 'ARTIFACT_DAMAGED') return false;
    throw error;
  }
}

/** A listing must show it. Throws STORAGE_FAILED, WAL_CONFLICT. */
async function assertStored(push: Push, put: { readonly key: string; readonly sizeBytes: number }): Promise<void> {
  const { wal, archive, sha256, isReplacing, signal, older } = push;
  const after = await archive.find(wal, signal);
  const ours = after.find((stored) => stored.key === put.key);
  if (!ours || ours.sizeBytes !== put.sizeBytes) {
    const found = ours ? `${ours.sizeBytes} of ${put.sizeBytes} bytes` : 'nothing';
    throw new AppError('STORAGE_FAILED', { reason: `${wal.name} was stored, but a listing shows ${found}` });
  }
  const others = after.filter((stored) => stored.sha256 !== sha256);
  // Only where the storage cannot decide who was first. Both stay: a third server may have been told that ours, which is
  // its own as well, is archived.
  if (others.length > 0 && !isReplacing) throw conflict(wal.name);
  for (const stored of others) {
    // Of two that come at the same moment and cannot read each other's both would be gone. The next push judges what stays.
    const isOlder =
      older.has(stored.key) || (archive.canRead(stored) && !(await isMore(stored, push).catch(() => true)));
    if (isOlder) await archive.delete(stored, signal);
  }
}

/** Somebody else has stored the name: ours means nothing any more. */
async function refuse(push: Push, error: unknown): Promise<never> {
  if (error instanceof AppError && error.code === 'WAL_CONFLICT') await giveBack(push, 0);
  throw error;
}

/** What is stored is stored: a claim that is left over lets the same content in. */
async function giveBack({ wal, archive, signal }: Push, sizeBytes: number): Promise<number> {
  await archive.giveBack(wal, signal).catch(() => {});
  return sizeBytes;
}

async function openFile(path: string, name: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AppError('WAL_FILE_REFUSED', { name, reason: `${path} cannot be opened (${code})` }, { cause });
  }
}

/** Whose file it is: a segment says so itself, of others the segments beside it do, else it is taken for ours. */
async function clusterOf({ wal, file, folder }: OpenWal, archive: WalArchiveStore, signal: AbortSignal) {
  const stats = await file.stat();
  if (!stats.isFile()) throw refused(wal.name, 'it is not a file');
  if (wal.kind === 'segment' || wal.kind === 'partial') {
    return checkSegment(wal, { start: await readStart(file), sizeBytes: stats.size });
  }
  if (stats.size === 0 || stats.size > MAX_TEXT_BYTES) throw refused(wal.name, `it has ${stats.size} bytes`);
  await checkText(wal, file);
  return (await clusterBeside(folder)) ?? (await archive.cluster(signal));
}

async function checkText(wal: WalName, file: FileHandle): Promise<void> {
  const start = Buffer.alloc(MAX_TEXT_BYTES);
  const { bytesRead } = await file.read(start, 0, MAX_TEXT_BYTES, 0);
  const text = start.toString('utf8', 0, bytesRead);
  const isWhole = wal.kind === 'backup' ? /^START WAL LOCATION: /m.test(text) && text.endsWith('\n') : /\S/.test(text);
  if (!isWhole) throw refused(wal.name, 'its contents are not what its name says');
}

/** Of the newest segment with a header, since files that are kept for later use may be empty. */
async function clusterBeside(folder: string): Promise<Cluster | null> {
  const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}(\.partial)?$/.test(name));
  for (const name of names.sort().reverse()) {
    const file = await open(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
    if (!file) continue;
    const header = await readStart(file)
      .then(readWalHeader)
      .finally(() => file.close());
    if (header) return header;
  }
  return null;
}

async function readStart(file: FileHandle): Promise<Buffer> {
  const start = Buffer.alloc(WAL_HEADER_BYTES);
  const { bytesRead } = await file.read(start, 0, WAL_HEADER_BYTES, 0);
  return start.subarray(0, bytesRead);
}

async function* readFrom(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
    const { bytesRead } = await file.read(chunk, 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

async function hashFile(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readFrom(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** An object we have no key for is believed: its name holds the checksum, and it appeared whole. */
async function isSound(stored: StoredWal, archive: WalArchiveStore, signal: AbortSignal): Promise<boolean> {
  if (!archive.canRead(stored)) return stored.sizeBytes > 0;
  try {
    for await (const _ of archive.open(stored, signal));
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'ARTIFACT_DAMAGED') return false;
    throw error;
  }
}

function refused(name: string, reason: string): AppError {
  return new AppError('WAL_FILE_REFUSED', { name, reason });
}

function conflict(name: string): AppError {
  return new AppError('WAL_CONFLICT', { name });
}
