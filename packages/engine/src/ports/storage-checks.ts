/**
 * Promises of the storage port as runnable checks, cheap enough for a "Test" button. The conformance suite in
 * `testing/` runs the same checks first, then the expensive ones; so what a user tests is what an adapter is held to.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { ByteRange, Storage } from './storage.ts';

export interface StorageCheck {
  /** Stable; shown to people and used as a translation key. */
  readonly name: string;
  /** Works on keys below `probe.prefix` only. Throws an Error that says what was promised and not kept. */
  run(storage: Storage, probe: StorageProbe): Promise<void>;
}

/** What one run of the checks works with. */
export interface StorageProbe {
  /** Unique to this run, without trailing slash. */
  readonly prefix: string;
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal;
}

const PROBE_BYTES = 64 * 1024;
const RANGE = { start: 1000, end: 3000 } as const;

/** Bytes of a probe; incompressible, so that nothing in between can cheat. */
export function createProbeBytes(): Uint8Array {
  return randomBytes(PROBE_BYTES);
}

/** Every key a run may leave behind when it is cut off. */
export function probeKeys(prefix: string): string[] {
  return [keyOf(prefix), `${prefix}/failed`];
}

/** In the order they must run: the first writes the object that the others look at, the last removes it. */
export const storageChecks: readonly StorageCheck[] = [
  {
    name: 'write',
    run: (storage, { prefix, bytes, signal }) =>
      storage.put(keyOf(prefix), once(bytes), { signal, sizeBytes: bytes.byteLength }),
  },
  {
    name: 'read',
    run: async (storage, { prefix, bytes, signal }) => assertSame(await readAll(storage, keyOf(prefix), signal), bytes),
  },
  {
    name: 'read range',
    async run(storage, { prefix, bytes, signal }) {
      assertSame(await readAll(storage, keyOf(prefix), signal, RANGE), bytes.subarray(RANGE.start, RANGE.end));
      const past = await readAll(storage, keyOf(prefix), signal, { start: bytes.byteLength + 10 });
      if (past.byteLength > 0) throw new Error('a range past the end of the object answered bytes');
    },
  },
  {
    name: 'size',
    async run(storage, { prefix, bytes, signal }) {
      const { sizeBytes } = await storage.stat(keyOf(prefix), signal);
      if (sizeBytes !== bytes.byteLength)
        throw new Error(`the object is said to have ${sizeBytes} bytes instead of ${bytes.byteLength}`);
    },
  },
  {
    name: 'list',
    async run(storage, { prefix, signal }) {
      if (!(await isListed(storage, keyOf(prefix), signal)))
        throw new Error('the object that was just written is not listed');
    },
  },
  {
    name: 'replace',
    async run(storage, { prefix, bytes, signal }) {
      const shorter = bytes.subarray(1, bytes.byteLength >> 1);
      await storage.put(keyOf(prefix), once(shorter), { signal });
      assertSame(await readAll(storage, keyOf(prefix), signal), shorter);
    },
  },
  { name: 'failed write', run: checkFailedWrite },
  {
    name: 'missing object',
    run: (storage, { prefix, signal }) => assertMissing(() => readAll(storage, `${prefix}/missing`, signal)),
  },
  {
    name: 'delete',
    async run(storage, { prefix, signal }) {
      await storage.delete(keyOf(prefix), signal);
      if (await isListed(storage, keyOf(prefix), signal))
        throw new Error('the object is still there after it was deleted');
      await storage.delete(keyOf(prefix), signal);
    },
  },
];

async function checkFailedWrite(storage: Storage, { prefix, bytes, signal }: StorageProbe): Promise<void> {
  const key = `${prefix}/failed`;
  const failure = new Error('the source of the test breaks on purpose');
  const body = async function* () {
    yield bytes;
    throw failure;
  };
  const error = await storage.put(key, body(), { signal }).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) throw new Error('a write whose source failed was taken for whole');
  if (error !== failure) throw error;
  if (await isListed(storage, key, signal)) throw new Error('a write that failed left an object behind');
}

function keyOf(prefix: string): string {
  return `${prefix}/object`;
}

async function isListed(storage: Storage, key: string, signal: AbortSignal): Promise<boolean> {
  for await (const object of storage.list(key, signal)) if (object.key === key) return true;
  return false;
}

async function assertMissing(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (error instanceof AppError && error.code === 'STORAGE_NOT_FOUND') return;
    throw error;
  }
  throw new Error('an object that was never written could be read');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function readAll(storage: Storage, key: string, signal: AbortSignal, range?: ByteRange): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get(key, { signal, range })) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

function assertSame(got: Buffer, wanted: Uint8Array): void {
  if (!got.equals(wanted)) throw new Error('what was read is not what was written');
}
