/**
 * Of several servers that store something of one name at the same moment only those with the same content may. Objects
 * are called by their content, so a `put` cannot decide that: before it the name is taken by a small object, which goes
 * when the content is stored and every listing shows it. A kill leaves it; then the same content is welcome again.
 */
import { AppError } from '@backupx/contracts/errors';
import { replayable, type Storage } from '../ports/storage.ts';

const ATTEMPTS = 5;
const MAX_CLAIM_BYTES = 4096;

/** `content` tells equal from different; at most 4 KiB. Throws WAL_CONFLICT when another content has the name. */
export async function claimName(
  storage: Storage,
  { key, name, content }: { readonly key: string; readonly name: string; readonly content: string },
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(content);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const isNew = await storage.putIfAbsent?.(key, bytes, signal);
    if (isNew === true) return;
    const before = await readClaim(storage, key, signal);
    // A place that cannot decide: what is read back afterwards is at least that of the last one.
    if (isNew !== false && before === null) await storage.put(key, bodyOf(bytes), { signal });
    const owner = before ?? (await readClaim(storage, key, signal));
    if (owner === content) return;
    if (owner !== null) throw new AppError('WAL_CONFLICT', { name: `${name}, which another server stores (${key})` });
    // It was given back in between.
  }
  throw new AppError('STORAGE_FAILED', { reason: `${key} comes and goes` });
}

async function readClaim(storage: Storage, key: string, signal: AbortSignal): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of storage.get(key, { signal })) {
      size += chunk.byteLength;
      if (size > MAX_CLAIM_BYTES) break;
      chunks.push(Uint8Array.from(chunk));
    }
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return null;
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function bodyOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  return replayable(async function* () {
    yield bytes;
  });
}
