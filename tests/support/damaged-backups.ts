/** What every source promises of its backups: one that is whole is proven; one that is damaged is told, and touches nothing. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DriverSettings, RunBackupResult, RunRestoreJob } from '@backupx/contracts/jobs';
import { beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from './faulty-runs.ts';
import type { JobRunner } from './repository.ts';
import { type BackupMode, createSourceJobs, type SourceJobs } from './source-jobs.ts';
import type { WorkFolder } from './work-folder.ts';

export interface DamagedBackups {
  /** How tests call it. */
  readonly name: string;
  readonly work: WorkFolder;
  readonly runner: JobRunner;
  source(): DriverSettings;
  /** Where a restore would replace something. */
  readonly restore: Partial<Pick<RunRestoreJob, 'options' | 'targetPath'>>;
  /** Where a deep proof may work, where it needs to be told. */
  proofOptions?(): Record<string, unknown>;
  /** What a restore would replace, and all that one could leave behind. */
  look(): unknown;
}

type Damage = readonly [string, (bytes: Buffer) => Buffer];

const flipped: Damage = [
  'has a flipped bit',
  (bytes) => {
    const other = Buffer.from(bytes);
    other[other.length >> 1] = (other[other.length >> 1] ?? 0) ^ 1;
    return other;
  },
];
const cutOff: Damage = ['is cut off', (bytes) => bytes.subarray(0, bytes.length >> 1)];
/** Other damages of a repository are told by its own tests. */
const ways: Readonly<Record<BackupMode, readonly Damage[]>> = { archive: [flipped, cutOff], repository: [flipped] };

/** Registers the tests. */
export function damagedBackups(mode: BackupMode, parts: DamagedBackups): void {
  const { work, runner, source, restore, look } = parts;
  let jobs: SourceJobs;
  let result: RunBackupResult;

  const verify = (depth: 'quick' | 'deep') => {
    const options = parts.proofOptions ? { options: parts.proofOptions() } : {};
    const job = { kind: 'verify_artifact', source: source(), artifact: jobs.artifactOf(result) } as const;
    return runner.run({ ...job, mode: depth, ...options });
  };

  describe(`${parts.name}, in mode ${mode}`, () => {
    beforeAll(async () => {
      const place = (...names: string[]) => work.at('damaged', `${mode} ${parts.name}`, ...names);
      mkdirSync(place(), { recursive: true });
      jobs = await createSourceJobs(runner, { ...work, at: place }, mode);
      result = await jobs.backup(source());
      expect(result).toMatchObject({ status: 'success', problems: [] });
    });

    it.each(mode === 'archive' ? (['quick', 'deep'] as const) : (['deep'] as const))(
      'that is whole is proven: %s',
      async (depth) => {
        const { status, checks } = await verify(depth);
        expect(checks.filter(({ ok }) => !ok)).toEqual([]);
        expect([status, checks.length > 0]).toEqual(['success', true]);
      },
    );

    it.each(ways[mode])('that %s is not proven, and a restore of it touches nothing', async (_, damaged) => {
      const file = mode === 'archive' ? path.join(jobs.store, result.storagePath) : largestPack(jobs.store);
      const whole = readFileSync(file);
      const before = await look();
      // Files of a repository are read-only.
      chmodSync(file, 0o600);
      writeFileSync(file, damaged(whole));
      try {
        const { code } = await failureOf(jobs.restore(source(), result, restore));
        expect(code).toMatch(/^(ARTIFACT|REPOSITORY|DATABASE_DUMP)_/);
        expect(await look()).toEqual(before);
        const { status, checks } = await verify('quick');
        expect(status).toBe('failed');
        expect(checks.filter(({ ok }) => !ok).map(({ detail }) => detail)).not.toContain('');
      } finally {
        writeFileSync(file, whole);
      }
    });
  });
}

/** That with most of the data. */
function largestPack(store: string): string {
  const names = readdirSync(path.join(store, 'data'), { recursive: true, encoding: 'utf8' });
  const files = names.map((name) => path.join(store, 'data', name)).filter((file) => statSync(file).isFile());
  return files.reduce((largest, file) => (statSync(file).size > statSync(largest).size ? file : largest));
}
