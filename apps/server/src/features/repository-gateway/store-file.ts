/**
 * Takes a file in. It streams through to the storage, hashed and counted on the way; when it is not what its name says
 * the body fails at its last byte, and the storage's atomic `put` leaves nothing behind. Nothing touches a disk here.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError } from '@backupx/contracts/errors';
import type { Storage } from '@backupx/engine/ports/storage';
import { type GatewayAddress, storageKeyOf } from './gateway-address.ts';
import type { QuotaLedger, Reservation } from './quota-ledger.ts';
import { Refusal, refuse } from './refusal.ts';
import type { FileType, GatewayRepository } from './repository-directory.ts';
import type { HeldStorage } from './storage-pool.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Largest file of each kind in bytes. Packs are 16 MiB as a rule and at most 128 MiB by restic's settings, but one tree of
 * a folder with very many items stands alone; indexes of old versions and of large packs are larger than ours.
 */
const sizeLimits: Readonly<Record<FileType | 'config', number>> = {
  config: 64 * KIB,
  keys: 64 * KIB,
  locks: 64 * KIB,
  snapshots: 32 * MIB,
  index: 256 * MIB,
  data: 512 * MIB,
};
/** Locks do not count as space used, since a full repository must still be readable; so their number is limited. */
const MAX_LOCKS = 1000;

export type FileAddress = Extract<GatewayAddress, { kind: 'config' | 'file' }>;

export interface IncomingFile {
  readonly repository: GatewayRepository;
  readonly address: FileAddress;
  readonly request: IncomingMessage;
  readonly signal: AbortSignal;
}

/**
 * Checks everything that can be checked before the body is read. Throws a `Refusal` with 411, 413 or 400. Answers the
 * announced size in bytes.
 */
export function announcedSize(address: FileAddress, { headers }: Pick<IncomingMessage, 'headers'>): number {
  const length = headers['content-length'];
  if (length === undefined || !/^\d{1,15}$/.test(length)) {
    throw refuse(411, { path: 'content-length', code: 'missing', message: 'the size must be told beforehand' });
  }
  const sizeBytes = Number(length);
  if (sizeBytes === 0) throw refuse(400, { path: 'content-length', code: 'too_small', message: 'the file is empty' });
  if (sizeBytes > sizeLimits[typeOf(address)]) throw new AppError('BODY_TOO_LARGE');
  return sizeBytes;
}

export function typeOf(address: FileAddress): FileType | 'config' {
  return address.kind === 'config' ? 'config' : address.type;
}

/** Stores the file and answers its size. Throws a `Refusal`, STORAGE_FULL, or what the storage throws. */
export async function storeFile(file: IncomingFile, held: HeldStorage, ledger: QuotaLedger): Promise<number> {
  const { repository, address, request, signal } = file;
  const sizeBytes = announcedSize(address, request);
  const isLock = typeOf(address) === 'locks';
  let reservation: Reservation | null = null;
  const key = storageKeyOf(repository.prefix, address);
  try {
    await held.takeTurn(signal);
    // Other names are hashes: two requests that write one write the same.
    if (address.kind === 'config' && !held.claim(key)) throw existsAlready();
    if (isLock) await assertFewLocks(held.storage, repository.prefix, signal);
    // First: of a file that is there already nobody asks for more room.
    await assertNew(held.storage, key, signal);
    if (!isLock) reservation = ledger.reserve(repository, sizeBytes);
    await held.storage.put(key, checkedBody(request, address, sizeBytes), { signal, sizeBytes });
    reservation?.keep();
    return sizeBytes;
  } catch (error) {
    reservation?.release();
    throw error;
  }
}

async function assertNew(storage: Storage, key: string, signal: AbortSignal): Promise<void> {
  try {
    await storage.stat(key, signal);
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return;
    throw error;
  }
  throw existsAlready();
}

function existsAlready(): Refusal {
  return refuse(403, {
    path: 'name',
    code: 'exists',
    message: 'a file of this name is there already; it stays as it is',
  });
}

async function assertFewLocks(storage: Storage, prefix: string, signal: AbortSignal): Promise<void> {
  let count = 0;
  for await (const _lock of storage.list(prefix === '' ? 'locks/' : `${prefix}/locks/`, signal)) {
    count += 1;
    if (count >= MAX_LOCKS) throw new AppError('STORAGE_FULL', { reason: `the repository has ${MAX_LOCKS} locks` });
  }
}

/** The body of a request, which fails unless it has exactly the announced size and the SHA-256 of its name. */
async function* checkedBody(
  request: IncomingMessage,
  address: FileAddress,
  announcedBytes: number,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    // Must not be destroyed when the storage refuses half-way: the connection is still needed for the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      hash.update(chunk as Uint8Array);
      sizeBytes += (chunk as Uint8Array).byteLength;
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw new Refusal(400, new AppError('CANCELLED', {}, { cause: error }));
  }
  if (sizeBytes !== announcedBytes) {
    const message = `${sizeBytes} of ${announcedBytes} bytes arrived`;
    throw refuse(400, { path: 'content-length', code: 'mismatch', message });
  }
  if (address.kind === 'file' && hash.digest('hex') !== address.name) {
    throw refuse(400, { path: 'name', code: 'mismatch', message: 'the name is not the SHA-256 of the content' });
  }
}
