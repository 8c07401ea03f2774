/**
 * A complete storage in memory, for tests of everything that stands on the port. It keeps every promise of the
 * port (the conformance suite runs against it) and can be told to fail.
 */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../ports/clock.ts';
import { BodyFailure, pullBody, throwIfCancelled } from '../ports/pull-body.ts';
import type { Storage, StoredObject } from '../ports/storage.ts';
import { assertStorageKey, assertStoragePrefix } from '../ports/storage-key.ts';

export interface MemoryStorageKnobs {
  /** Every put fails with `STORAGE_FULL` once it has taken this many bytes; null: never. */
  failAfterBytes: number | null;
  /** This many further puts fail with `STORAGE_UNREACHABLE` before they read their body. */
  failPuts: number;
}

export interface MemoryStorage extends Storage {
  /** May be changed at any time. */
  readonly knobs: MemoryStorageKnobs;
  /** What is stored, by key. Tests may damage it. */
  readonly objects: Map<string, Uint8Array>;
}

const GET_CHUNK_BYTES = 256 * 1024;

/** Creates an empty storage. */
export function createMemoryStorage(initial: Partial<MemoryStorageKnobs> = {}): MemoryStorage {
  const knobs: MemoryStorageKnobs = { failAfterBytes: null, failPuts: 0, ...initial };
  const objects = new Map<string, Uint8Array>();
  const times = new Map<string, Date>();

  const find = (key: string): Uint8Array => {
    const bytes = objects.get(key);
    if (!bytes) throw new AppError('STORAGE_NOT_FOUND', { key });
    return bytes;
  };
  const describe = (key: string, bytes: Uint8Array): StoredObject => ({
    key,
    sizeBytes: bytes.byteLength,
    modifiedAt: times.get(key) ?? null,
  });

  return {
    knobs,
    objects,
    async put(key, body, { signal }) {
      assertStorageKey(key);
      if (knobs.failPuts > 0) {
        knobs.failPuts -= 1;
        throw new AppError('STORAGE_UNREACHABLE', { reason: 'told to fail' });
      }
      objects.set(key, await collect(body, signal, knobs));
      times.set(key, systemClock.now());
    },
    async *get(key, { signal, range }) {
      assertStorageKey(key);
      throwIfCancelled(signal);
      const bytes = find(key);
      const end = Math.min(range?.end ?? bytes.byteLength, bytes.byteLength);
      for (let at = range?.start ?? 0; at < end; at += GET_CHUNK_BYTES) {
        throwIfCancelled(signal);
        yield bytes.slice(at, Math.min(at + GET_CHUNK_BYTES, end));
      }
    },
    async stat(key, signal) {
      assertStorageKey(key);
      throwIfCancelled(signal);
      return describe(key, find(key));
    },
    async *list(prefix, signal) {
      assertStoragePrefix(prefix);
      for (const [key, bytes] of [...objects]) {
        throwIfCancelled(signal);
        if (key.startsWith(prefix)) yield describe(key, bytes);
      }
    },
    async delete(key, signal) {
      assertStorageKey(key);
      throwIfCancelled(signal);
      objects.delete(key);
      times.delete(key);
    },
    async putIfAbsent(key, bytes, signal) {
      assertStorageKey(key);
      throwIfCancelled(signal);
      if (objects.has(key)) return false;
      objects.set(key, Uint8Array.from(bytes));
      times.set(key, systemClock.now());
      return true;
    },
    async usage() {
      const usedBytes = [...objects.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
      return { usedBytes, freeBytes: null, totalBytes: null };
    },
    async close() {},
  };
}

async function collect(body: AsyncIterable<Uint8Array>, signal: AbortSignal, knobs: MemoryStorageKnobs) {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of pullBody(body, signal)) {
      total += chunk.byteLength;
      if (knobs.failAfterBytes !== null && total > knobs.failAfterBytes) {
        throw new AppError('STORAGE_FULL', { reason: `told to fail after ${knobs.failAfterBytes} bytes` });
      }
      // Not `slice`: of a Buffer that is no copy, and the chunk's memory is filled again.
      chunks.push(Uint8Array.from(chunk));
    }
  } catch (error) {
    throw error instanceof BodyFailure ? error.cause : error;
  }
  throwIfCancelled(signal);
  return new Uint8Array(Buffer.concat(chunks));
}
