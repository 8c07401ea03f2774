import { AppError } from '@backupx/contracts/errors';
import { createFakeClock } from '@backupx/engine/testing/fake-clock';
import { describe, expect, it } from 'vitest';
import { createMemoryEngine } from '../connect-test-runs.ts';
import type { BackupOutcome, JobBuilder } from './ports.ts';
import { type RunLocallyDeps, runLocally } from './run-locally.ts';

function setUp(options: { failingEnds?: number; builderError?: AppError } = {}) {
  let failing = options.failingEnds ?? 0;
  const ends: BackupOutcome[] = [];
  const lost: unknown[] = [];
  const job = {
    kind: 'run_backup',
    taskId: 1,
    recordId: 1,
    taskName: 'a',
    source: { type: 'file', config: {} },
    targets: [{ id: 1, name: 't', type: 'local_disk', config: {}, viaMaster: false }],
    compression: 'none',
    encryption: null,
    keyPrefix: 'a-1/r1',
    baseName: 'a',
    bandwidthBytesPerSecond: 0,
  } as const;
  const builder = {
    async backupJob() {
      if (options.builderError) throw options.builderError;
      return { ...job, targets: [...job.targets] };
    },
  } as unknown as JobBuilder;
  const clock = createFakeClock();
  const giveUp = new AbortController();
  const deps: RunLocallyDeps = {
    engine: createMemoryEngine(),
    builder,
    clock,
    reporter: { appendLog() {}, progress() {}, touch() {}, flush: async () => undefined },
    lifecycle: {
      async finishBackup(_id, outcome) {
        if (failing-- > 0) throw new Error('database is locked');
        ends.push(outcome);
        return true;
      },
      finishRestore: async () => true,
      finishVerification: async () => true,
      finishMaintenance: async () => true,
      finishFailed: (run, outcome) => deps.lifecycle.finishBackup(run.id, outcome),
      workEnded: async () => undefined,
      interruptLocalRuns: async () => 0,
    },
    onLateEnd: (_run, error) => lost.push(error),
    givingUp: giveUp.signal,
  };
  const run = () =>
    runLocally(deps, { owner: 'record', id: 1 }, { signal: new AbortController().signal, stopReason: () => null });
  return { ends, lost, clock, run, giveUp };
}

describe('a run on this machine', () => {
  it('writes its end again until the database takes it', async () => {
    const { ends, lost, clock, run } = setUp({ failingEnds: 3 });
    const done = run();
    await clock.advance(60_000);
    await done;
    expect(ends).toMatchObject([{ status: 'success' }]);
    expect(lost).toEqual([]);
  });

  it('says once when its end cannot be written for long, frees its place and goes on trying', async () => {
    const { ends, lost, clock, run } = setUp({ failingEnds: 20 });
    const done = run();
    await clock.advance(60_000);
    await done;
    expect(lost).toHaveLength(1);
    expect(ends).toEqual([]);
    for (let minute = 0; minute < 20; minute++) await clock.advance(60_000);
    expect(ends).toMatchObject([{ status: 'success' }]);
    expect(lost).toHaveLength(1);
  });

  it('leaves an end that could not be written to the next start when the process ends', async () => {
    const { ends, clock, run, giveUp } = setUp({ failingEnds: 20 });
    const done = run();
    await clock.advance(60_000);
    await done;
    giveUp.abort();
    for (let minute = 0; minute < 20; minute++) await clock.advance(60_000);
    expect(ends).toEqual([]);
  });

  it('fails with the reason when its job cannot be built', async () => {
    const { ends, run } = setUp({ builderError: new AppError('STORAGE_TARGET_NOT_FOUND') });
    await run();
    expect(ends).toMatchObject([{ status: 'failed', failure: { code: 'STORAGE_TARGET_NOT_FOUND' } }]);
  });
});
