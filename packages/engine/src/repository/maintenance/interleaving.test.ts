/** Backups beside mark and sweep, in random order: whatever happens, every snapshot restores to its last blob. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import type { Repository } from '../open-repository.ts';
import { checkRepository } from './check-repository.ts';
import { markForSweep, type PruneOptions, sweepCondemned } from './prune-repository.ts';
import {
  beginBackup,
  type Files,
  makeRepository,
  readBack,
  type StepwiseBackup,
  textOf,
  workOn,
} from './small-repository.ts';

const never = new AbortController().signal;
const SEEDS = ['a', 'b', 'c', 'd', 'e'];
const options: PruneOptions = { dryRun: false, condemnedPacks: [], maxUnusedShare: 0, maxRepackBytes: null };

interface Writer {
  /** Order of beginning, as the master counts its leases. */
  readonly lease: number;
  readonly files: Files;
  readonly steps: StepwiseBackup;
  done: number;
}

/** The rules of the master: one collection at a time, a sweep waits for every lease older than the mark. */
class Model {
  readonly #repository: Repository;
  readonly #writers: Writer[] = [];
  readonly #snapshots = new Map<string, { tree: string; files: Files }>();
  #condemned: readonly string[] = [];
  #markedAt = 0;
  #leases = 0;
  sweeps = 0;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  async begin(seeds: readonly string[]): Promise<void> {
    const files = Object.fromEntries(seeds.map((seed) => [`${seed}/file`, textOf(seed, 2)]));
    this.#leases += 1;
    const steps = await beginBackup(this.#repository, files, { ignoredPacks: this.#condemned });
    this.#writers.push({ lease: this.#leases, files, steps, done: 0 });
  }

  /** The next step of some backup: packs, index, snapshot. */
  async advance(choice: number): Promise<void> {
    const writer = this.#writers[choice % Math.max(1, this.#writers.length)];
    if (!writer) return;
    if (writer.done === 0) await writer.steps.storePacks();
    else if (writer.done === 1) await writer.steps.storeIndex();
    else {
      const { id, tree } = await writer.steps.saveSnapshot();
      this.#snapshots.set(id, { tree, files: writer.files });
      this.kill(choice);
    }
    writer.done += 1;
  }

  /** Ends the lease of a backup, wherever it stands. */
  kill(choice: number): void {
    if (this.#writers.length > 0) this.#writers.splice(choice % this.#writers.length, 1);
  }

  async forget(choice: number): Promise<void> {
    const id = [...this.#snapshots.keys()][choice % Math.max(1, this.#snapshots.size)];
    if (id === undefined) return;
    await this.#repository.removeFile('snapshots', id, never);
    this.#snapshots.delete(id);
  }

  async mark(): Promise<void> {
    const mark = await markForSweep(workOn(this.#repository), { ...options, condemnedPacks: this.#condemned });
    this.#condemned = mark.condemnedPacks;
    this.#markedAt = this.#leases;
  }

  async sweep(): Promise<void> {
    const isAllowed = this.#writers.every(({ lease }) => lease > this.#markedAt);
    if (!isAllowed || this.#condemned.length === 0) return;
    await sweepCondemned(workOn(this.#repository), { ...options, condemnedPacks: this.#condemned });
    this.#condemned = [];
    this.sweeps += 1;
  }

  /** A collection and backups at the same time, call by call of the storage. */
  async together(choice: number, collect: () => Promise<void>): Promise<void> {
    const collecting = collect();
    await Promise.all([collecting, this.advance(choice), this.begin(SEEDS.slice(choice % SEEDS.length))]);
    await this.advance(choice + 1);
  }

  async expectWhole(): Promise<void> {
    for (const { tree, files } of this.#snapshots.values())
      expect(await readBack(this.#repository, { tree })).toEqual(files);
  }

  async finish(): Promise<void> {
    while (this.#writers.length > 0) await this.advance(0);
    await this.expectWhole();
    await this.sweep();
    await this.mark();
    await this.sweep();
    await this.expectWhole();
    const { problems } = await checkRepository(workOn(this.#repository), 'all');
    expect(problems.filter(({ code }) => code !== 'key_missing')).toEqual([]);
  }
}

const choice = fc.nat({ max: 7 });
const step = fc.oneof(
  { weight: 3, arbitrary: fc.subarray(SEEDS, { minLength: 1 }).map((seeds) => (model: Model) => model.begin(seeds)) },
  { weight: 6, arbitrary: choice.map((number) => (model: Model) => model.advance(number)) },
  { weight: 1, arbitrary: choice.map((number) => async (model: Model) => model.kill(number)) },
  { weight: 2, arbitrary: choice.map((number) => (model: Model) => model.forget(number)) },
  { weight: 2, arbitrary: fc.constant((model: Model) => model.mark()) },
  { weight: 3, arbitrary: fc.constant((model: Model) => model.sweep()) },
  { weight: 2, arbitrary: choice.map((number) => (model: Model) => model.together(number, () => model.mark())) },
  { weight: 2, arbitrary: choice.map((number) => (model: Model) => model.together(number, () => model.sweep())) },
);

it('loses nothing in any order of backups, marks and sweeps', async () => {
  let sweeps = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const model = new Model(await makeRepository(createMemoryStorage()));
      for (const take of steps) await take(model);
      await model.finish();
      sweeps += model.sweeps;
    }),
    { numRuns: 60 },
  );
  expect(sweeps).toBeGreaterThan(20);
});
