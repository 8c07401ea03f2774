import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { countWritten, passingName, type RestoreState, temporaryName } from './restore-state.ts';

const PLACE = { base: 0, folder: ['www'], name: 'a' };
/** Tells the names that it would give. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${JSON.stringify(new URL('./restore-state.ts', import.meta.url).href)}).then(({ passingName, temporaryName }) =>
    parentPort.postMessage([temporaryName(workerData), ...Array.from({ length: 5 }, passingName)]));`;

it('gives no name that another restore in the same process gives', async () => {
  const worker = new Worker(PROGRAM, { eval: true, workerData: PLACE });
  const [theirs] = await once(worker, 'message');
  await worker.terminate();
  const ours = [temporaryName(PLACE), ...Array.from({ length: 5 }, passingName)];
  expect(new Set([...ours, ...theirs]).size).toBe(12);
});

describe('the progress of a restore', () => {
  it('counts every item and names the first, large ones, and now and then a small one', () => {
    const named: string[] = [];
    let items = 0;
    const state = {
      counts: { itemsWritten: 0, bytesWritten: 0, itemsSkipped: 0, foreseen: 0 },
      context: {
        progress(progress: { items?: number; currentItem?: string }) {
          items += progress.items ?? 0;
          if (progress.currentItem !== undefined) named.push(progress.currentItem);
        },
      },
    } as unknown as RestoreState;
    for (let number = 0; number < 100; number += 1) {
      countWritten(Buffer.from(`/f${number}`), number === 50 ? 5_000_000 : 10, state);
    }
    expect(items).toBe(100);
    expect(named[0]).toBe('/f0');
    expect(named).toContain('/f50');
    expect(named.length).toBeGreaterThan(5);
    expect(named.length).toBeLessThan(20);
  });
});
