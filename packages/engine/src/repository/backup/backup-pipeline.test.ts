import { randomBytes } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashOf } from '../format/blob-id.ts';
import { createMasterKey } from '../format/master-key.ts';
import { createSealedBox } from '../format/sealed-box.ts';
import type { PackWriter, SealedBlob } from '../pack-writer.ts';
import { BackupPipeline, type PipelineStart } from './backup-pipeline.ts';
import type { FilledSlot } from './messages.ts';
import type { ReadingListener, ReadingThread } from './reading-thread.ts';
import { BLOB_LEAD, SLOT_BYTES, SlotControl } from './slot-memory.ts';

const SLOTS = 6;
const CONTENT_BYTES = 400_000;
const masterKey = createMasterKey();

let threads: Worker[];
const onThread = (worker: Worker): void => void threads.push(worker);
beforeEach(() => {
  threads = [];
  process.on('worker', onThread);
});
afterEach(() => void process.off('worker', onThread));

/** A reading that has filled all slots before anybody looks. */
function readAtOnce(contents: readonly Buffer[]): ReadingThread {
  const memory = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  const control = new SlotControl(SLOTS);
  const counters = { items: 0 } as never;
  const fill = (content: Buffer): FilledSlot => {
    const slot = control.take();
    const at = slot * SLOT_BYTES + BLOB_LEAD;
    new Uint8Array(memory).set(content, at);
    return { slot, rows: Uint32Array.of(at, content.byteLength, 0), ids: Uint8Array.from(hashOf(content)) };
  };
  const start = (_: unknown, { onMessage }: ReadingListener) => {
    onMessage({ type: 'memory', memory });
    for (const content of contents) onMessage({ type: 'slot', filled: fill(content) });
    onMessage({ type: 'done', tree: new Uint8Array(32), counters });
  };
  return { control, start, answer() {}, async close() {} } as unknown as ReadingThread;
}

/** Seals what fills all slots; it must come back whole. */
async function seal(parallelism: number): Promise<void> {
  const contents = Array.from({ length: SLOTS }, () => randomBytes(CONTENT_BYTES));
  const sealed = new Map<string, Buffer>();
  const add = ({ id, sealed: bytes }: SealedBlob): null => {
    sealed.set(Buffer.from(id).toString('hex'), Buffer.from(bytes));
    return null;
  };
  const reading = readAtOnce(contents);
  const events = { onProblem() {}, onLog() {}, onTotals() {}, onProgress() {} };
  const signal = new AbortController().signal;
  const pipeline = new BackupPipeline({ reading, masterKey, parallelism, events, signal });
  try {
    await pipeline.run({ writer: { add } as unknown as PackWriter } as PipelineStart);
  } finally {
    await pipeline.close();
  }
  const box = createSealedBox(masterKey);
  for (const content of contents) {
    const opened = box.open(sealed.get(hashOf(content).toString('hex')) ?? Buffer.alloc(0));
    expect(Buffer.from(opened).equals(content)).toBe(true);
  }
}

it.each([1, 3])('blobs are sealed by %i at a time, and come back whole', async (parallelism) => {
  await seal(parallelism);
  // A thread is started only for a slot that finds all others at work.
  expect(threads).toHaveLength(parallelism);
});
