/** A repository whose snapshots would not fit into memory all at once: each may have thousands of paths. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

const HEAP_MB = 64;

/** 60 snapshots of 20,000 paths take some 100 MB as objects; stored they take next to nothing. */
const PROGRAM = `
const { parentPort, workerData: base } = require('node:worker_threads');
const load = (name) => import(new URL(name, base).href);
(async () => {
  const { createMemoryStorage } = await load('../../testing/memory-storage.ts');
  const { backup, makeRepository, workOn } = await load('./small-repository.ts');
  const { newestSnapshot, saveSnapshot } = await load('../snapshots.ts');
  const { pruneExclusively } = await load('./prune-repository.ts');
  const { checkRepository } = await load('./check-repository.ts');
  const { forgetSnapshots } = await load('./forget-snapshots.ts');
  const { signal } = new AbortController();
  const repository = await makeRepository(createMemoryStorage());
  const { id, ...first } = await backup(repository, { a: 'content' });
  const paths = Array.from({ length: 20_000 }, (_, number) => '/srv/somewhere/with/a/long/name/' + number);
  let last = '';
  for (let number = 0; number < 60; number += 1) {
    // Not in the order of their times.
    const minute = String((number * 7) % 60).padStart(2, '0');
    const saved = await saveSnapshot(repository, { ...first, time: '2030-01-01T00:' + minute + ':00Z', paths }, signal);
    if (minute === '59') last = saved.id;
  }
  const newest = await newestSnapshot(repository, (snapshot) => snapshot.paths.length > 1, signal);
  const pruned = await pruneExclusively(workOn(repository), {
    maxUnusedShare: 0, maxRepackBytes: null, dryRun: false, condemnedPacks: [],
  });
  const checked = await checkRepository(workOn(repository), 'structure');
  const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, withinHours: 0, tags: [] };
  const forgotten = await forgetSnapshots(workOn(repository), {
    snapshotIds: null, policy: { ...none, last: 3 }, lockedIds: [], dryRun: false,
  });
  parentPort.postMessage({
    isNewest: newest.id === last,
    packsRemoved: pruned.packsRemoved,
    intact: checked.intactSnapshotIds.length,
    forgotten: forgotten.removed.length,
    /** All of them name the same list. */
    pathLists: new Set([...forgotten.removed, ...forgotten.kept].map((snapshot) => snapshot.paths)).size,
  });
})();
`;

it('looking for the newest, pruning, checking and forgetting hold no more of them than they need', async () => {
  const resourceLimits = { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8 };
  const worker = new Worker(PROGRAM, { eval: true, workerData: import.meta.url, resourceLimits });
  try {
    const [result] = await once(worker, 'message');
    expect(result).toEqual({ isNewest: true, packsRemoved: 0, intact: 61, forgotten: 57, pathLists: 2 });
  } finally {
    await worker.terminate();
  }
});
