import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { isMarkAlive, processMark, threadMark } from './process-mark.ts';

/** Tells its mark, and lives until it is told to end. */
const PROGRAM = `
  const { parentPort } = require('node:worker_threads');
  import(${JSON.stringify(new URL('./process-mark.ts', import.meta.url).href)}).then(({ threadMark }) => {
    parentPort.on('message', () => parentPort.close());
    parentPort.postMessage(threadMark);
  });`;

it('tells threads apart, and one that has ended from one that lives', async () => {
  const worker = new Worker(PROGRAM, { eval: true });
  const [mark] = await once(worker, 'message');
  expect(mark).toMatch(/^\d+\.\d+$/);
  expect([processMark, threadMark]).not.toContain(mark);
  expect(isMarkAlive(mark)).toBe(true);
  await worker.terminate();
  expect(isMarkAlive(mark)).toBe(false);
  expect([processMark, threadMark, '4194303.1', 'x'].map(isMarkAlive)).toEqual([true, true, false, false]);
});
