import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { OpenPieces, PieceGroup, SealPieces } from '../archive/seal-pieces.ts';
import { startThread } from '../ports/start-thread.ts';
import type { FromSealWorker, ToSealWorker } from './thread-messages.ts';

/** A small nursery is emptied often, and with it go the buffers its objects hold. */
const LIMITS = { maxYoungGenerationSizeMb: 1 } as const;

export interface SealThread {
  /** Both: one group at a time. */
  readonly sealPieces: SealPieces;
  readonly openPieces: OpenPieces;
  close(): Promise<void>;
}

/** Seals and opens pieces in a thread of its own, which is started when the first group comes. */
export function createSealThread(): SealThread {
  let worker: Worker | null = null;
  let pending: { resolve(sizeBytes: number): void; reject(error: unknown): void } | null = null;
  let shared: Uint8Array = new Uint8Array(0);

  const fail = (cause: unknown) => {
    worker = null;
    pending?.reject(new AppError('INTERNAL', {}, { cause }));
    pending = null;
  };
  const start = () => {
    const started = startThread(new URL('./seal-worker.ts', import.meta.url), {
      data: null,
      name: 'backupx seal',
      resourceLimits: LIMITS,
    });
    started.on('message', (message: FromSealWorker) => {
      if (message.type === 'failed')
        pending?.reject(new AppError('INTERNAL', {}, { cause: new Error(message.reason) }));
      else pending?.resolve(message.sizeBytes);
      pending = null;
    });
    started.on('error', fail);
    started.on('exit', () => fail(new Error('the sealing thread ended')));
    return started;
  };
  /** What lies in memory of this thread alone would be copied into garbage on its way. */
  const toShared = (bytes: Uint8Array): Uint8Array => {
    if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
    if (shared.byteLength < bytes.byteLength) shared = new Uint8Array(new SharedArrayBuffer(2 * bytes.byteLength));
    shared.set(bytes);
    return shared.subarray(0, bytes.byteLength);
  };

  const ask = (work: ToSealWorker['work'], group: PieceGroup, output: Uint8Array) =>
    new Promise<number>((resolve, reject) => {
      worker ??= start();
      pending = { resolve, reject };
      const message: ToSealWorker = { work, group: { ...group, bytes: toShared(group.bytes) }, output };
      worker.postMessage(message);
    });

  return {
    sealPieces: (group, output) => ask('seal', group, output),
    openPieces: (group, output) => ask('open', group, output),
    async close() {
      await worker?.terminate();
    },
  };
}
