/** What goes wrong in the middle of a dump, the same for every database: it fails in words, and nothing of it stays. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DriverSettings, RunBackupJob } from '@backupx/contracts/jobs';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  backupOntoFullDisk,
  besideSmallDisk,
  cancelled,
  failureOf,
  mayMount,
  namesBelow,
  storedBelow,
  until,
} from './faulty-runs.ts';
import { check, createRunner, type JobRunner, repositoryAt, startJob } from './repository.ts';
import { type BackupMode, createSourceJobs, type SourceJobs } from './source-jobs.ts';
import { killTool } from './tool-watch.ts';
import type { WorkFolder } from './work-folder.ts';

/** A row that a kind does not have is none of its tests. `mounts`: it needs a mount, so it is skipped where there is none. */
export function rowIf(has: unknown, { mounts = false } = {}): (name: string, body: () => Promise<void>) => void {
  return has ? (name, body) => it.skipIf(mounts && !mayMount)(name, body) : () => {};
}

export interface DumpFaults {
  /** How tests call it. */
  readonly name: string;
  readonly work: WorkFolder;
  readonly runner: JobRunner;
  /** Its dump does not end before something is done to it. */
  slow(): DriverSettings;
  /** More than a MiB, and soon saved, or at least soon begun; left out: the slow one. */
  large?(): DriverSettings;
  /** Soon saved whole. */
  quick(): DriverSettings;
  /** Waits until the slow one is in its middle; its temporary files are below `tempDir`, what is stored below `store`. */
  begun(places: { readonly tempDir: string; readonly store: string }): Promise<unknown>;
  /** Runs what is done to the slow one, where it is slow only beside something. */
  beside?(act: () => Promise<void>): Promise<void>;
  /** True when neither a program here nor the server is still at work on it. */
  hasEnded(): boolean;
  /** What its program has split off goes on after a kill of our own process, until the next one begins. */
  readonly endsWithNext?: boolean;
  /** A killed run leaves a folder with a login or a copy, which the next one must remove. */
  readonly leavesSecrets?: boolean;
  /** It passes through without a copy in the folder for temporary files; the large one is larger than a MiB. */
  readonly isStreamed?: boolean;
  /** Looks at what else the one after a killed one must have cleared. */
  onNext?(): void;
  /** The program that dumps, and a word of its command line. */
  readonly program?: { readonly name: string; word(): string };
  readonly server?: { kill(): Promise<unknown>; start(): Promise<unknown> };
}

/** Registers the tests. */
export function dumpFaults(mode: BackupMode, faults: DumpFaults): void {
  const { work, runner, beside = (act) => act() } = faults;
  const place = (...parts: string[]) => work.at('faults', `${mode} ${faults.name}`, ...parts);
  const tempDir = work.at('temp');
  let jobs: SourceJobs;

  /** Runs against what was begun, and answers what went wrong; nothing of it may be there afterwards. */
  async function failing(act: (job: RunBackupJob) => Promise<Error & { readonly code: string }>) {
    const before = storedBelow(jobs.store);
    let error: (Error & { readonly code: string }) | null = null;
    await beside(async () => {
      error = await act(slowJob());
    });
    expect(storedBelow(jobs.store)).toEqual(before);
    await until('the end of all that worked on it', () => faults.hasEnded());
    return error;
  }
  const slowJob = () => jobs.backupJob(faults.slow());
  const begun = (folder = tempDir) => faults.begun({ tempDir: folder, store: jobs.store });
  /** Somebody does something to it when it has begun, and has done it when this ends. */
  const beset = async (job: RunBackupJob, act: () => unknown) => {
    let acting: unknown = null;
    let hasFailed = false;
    const failure = failureOf(runner.run(job)).finally(() => {
      hasFailed = true;
    });
    const acted = begun().then(() => {
      if (!hasFailed) acting = act();
      return acting;
    });
    // It may fail before it has begun, and then says why.
    await Promise.race([acted, failure]);
    const error = await failure;
    await acting;
    return error;
  };

  describe(`${faults.name}, in mode ${mode}`, () => {
    beforeAll(async () => {
      mkdirSync(place(), { recursive: true });
      jobs = await createSourceJobs(runner, { ...work, at: place }, mode);
    });
    afterEach(() => {
      expect(secretsBelow(tempDir)).toEqual([]);
    });

    rowIf(faults.program)('the program is killed', async () => {
      const { name = '', word = () => '' } = faults.program ?? {};
      const error = await failing((job) => beset(job, () => killTool(name, word())));
      expect(error).toMatchObject({ code: 'DATABASE_TOOL_FAILED', message: expect.stringContaining('SIGKILL') });
    });

    it('the run is cancelled', async () => {
      const error = await failing((job) => cancelled(job, { tempDir, when: () => begun() }));
      expect(error).toMatchObject({ code: 'CANCELLED' });
    });

    it('our own process is killed: nothing goes on without it, and the next one clears what it left', async () => {
      const own = place('temp');
      const before = storedBelow(jobs.store);
      await beside(async () => {
        const child = startJob(slowJob(), { tempDir: own });
        await Promise.race([begun(own), child.result]);
        if (faults.leavesSecrets) expect(secretsBelow(own)).not.toEqual([]);
        await child.kill();
        if (!faults.endsWithNext) await until('the end of all that worked on it', () => faults.hasEnded());
      });
      expect(storedBelow(jobs.store).filter(isWhole)).toEqual(before);
      const next = startJob(jobs.backupJob(faults.quick()), { tempDir: own });
      expect(await next.result).toMatchObject({ status: 'success', problems: [] });
      expect(storedBelow(jobs.store).filter(isWhole).length).toBeGreaterThan(before.length);
      expect(secretsBelow(own)).toEqual([]);
      await until('the end of all that worked on it', () => faults.hasEnded());
      faults.onNext?.();
      if (mode === 'repository') {
        expect(await check(runner, repositoryAt(jobs.store))).toMatchObject({ problems: [] });
      }
    });

    rowIf(true, { mounts: true })('the disk of the storage is full (needs root)', async () => {
      const source = (faults.large ?? faults.slow)();
      const { code, stored } = await backupOntoFullDisk(runner, source, { folder: place('full'), mode });
      expect(code).toMatch(/^(STORAGE|REPOSITORY)_/);
      expect(stored).toEqual([]);
      await until('the end of all that worked on it', () => faults.hasEnded());
    });

    rowIf(faults.leavesSecrets, { mounts: true })('there is no room for its temporary files (needs root)', async () => {
      const small = place('small');
      await besideSmallDisk(small, '4k', async () => {
        writeFileSync(path.join(small, 'other'), Buffer.alloc(4096));
        const cramped = createRunner(small);
        const error = await failureOf(cramped.run(jobs.backupJob(faults.quick())));
        expect(error).toMatchObject({ code: expect.any(String), message: expect.stringContaining('temporary') });
        await cramped.close();
        expect(readdirSync(small)).toEqual(['other']);
      });
    });

    rowIf(faults.isStreamed, { mounts: true })('nothing is copied before it is stored (needs root)', async () => {
      const small = place('narrow');
      await besideSmallDisk(small, '1m', async () => {
        const narrow = createRunner(small);
        const result = await narrow.run(jobs.backupJob((faults.large ?? faults.slow)()));
        await narrow.close();
        expect(result).toMatchObject({ status: 'success', problems: [] });
        expect(result.sourceBytes).toBeGreaterThan(4 * 1024 * 1024);
      });
    });

    rowIf(faults.server)('the server is killed', async () => {
      const error = await failing(async (job) => {
        const failure = await beset(job, async () => await faults.server?.kill());
        await faults.server?.start();
        return failure;
      });
      expect(error).toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
    });
  });
}

/** Not what a killed writer left of an object, which nobody sees and a later writer removes. */
const isWhole = (name: string): boolean => !path.basename(name).startsWith('.backupx-tmp-');

/** Folders for logins and copies, wherever below a folder for temporary files. */
export function secretsBelow(folder: string): string[] {
  return namesBelow(folder).filter((name) => path.basename(name).startsWith('secrets-'));
}
