import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { StagedFile } from './place-dump.ts';

/** Begins to write, and goes no further. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${JSON.stringify(new URL('./place-dump.ts', import.meta.url).href)}).then(({ StagedFile }) => {
    new StagedFile(workerData).write(Buffer.from('REDIS'));
    parentPort.postMessage('begun');
    setInterval(() => {}, 1000);
  });`;

it('goes where a thread that was ended in the middle had begun', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'place-dump-'));
  try {
    const worker = new Worker(PROGRAM, { eval: true, workerData: join(folder, 'dump.rdb') });
    await once(worker, 'message');
    await worker.terminate();
    expect(readdirSync(folder)).toHaveLength(1);
    const next = new StagedFile(join(folder, 'dump.rdb'));
    expect(readdirSync(folder)).toHaveLength(1);
    next.discard();
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
