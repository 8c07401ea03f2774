/** Whatever bytes there are: cut, packed, indexed and restored they are the same. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RepositoryAccess, RunRestoreJob } from '@backupx/contracts/jobs';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packMasterKey } from '../repository/format/master-key.ts';
import { checkRepository } from '../repository/maintenance/check-repository.ts';
import { makeRepository, workOn } from '../repository/maintenance/small-repository.ts';
import type { Repository } from '../repository/open-repository.ts';
import { sourceDrivers } from '../sources/index.ts';
import { backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { runBackup } from './run-backup.ts';
import { runRestore } from './run-restore.ts';

const MIN_CHUNK = 512 * 1024;
const readersUrl = new URL('../sources/readers.ts', import.meta.url).href;

let root: string;
let source: string;
let fixture: JobFixture;
let access: RepositoryAccess;
let repository: Repository;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-round-trip-'));
  source = path.join(root, 'source');
  mkdirSync(source);
  const storage = createMemoryStorage();
  fixture = createJobFixture({ storages: { s1: storage }, sources: sourceDrivers });
  repository = await makeRepository(storage);
  const unlock = { masterKey: packMasterKey(repository.masterKey) };
  access = { id: 0, target: testTarget(1), prefix: '', unlock, leaseId: 0, condemnedPacks: [] };
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});

interface Stretch {
  readonly length: number;
  /** Null: the same byte again and again. */
  readonly seed: number | null;
  readonly byte: number;
}

/** Lengths around those at which chunks may end, and tiny ones. */
const lengths = fc.oneof(
  { weight: 2, arbitrary: fc.nat(40) },
  { weight: 1, arbitrary: fc.integer({ min: MIN_CHUNK - 2, max: MIN_CHUNK + 2 }) },
  { weight: 2, arbitrary: fc.nat(3 * MIN_CHUNK) },
);
/** Few seeds: stretches come again, in the same file and in others, at other places. */
const stretches: fc.Arbitrary<Stretch> = fc.record({
  length: lengths,
  seed: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 3 }),
  byte: fc.constantFrom(0, 0, 0, 65, 255),
});
const contents = fc.oneof(
  { weight: 3, arbitrary: fc.array(stretches, { maxLength: 4 }).map((all) => Buffer.concat(all.map(toBytes))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
);

function toBytes({ length, seed, byte }: Stretch): Buffer {
  const bytes = Buffer.alloc(length, byte);
  if (seed === null) return bytes;
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Zeros are cut as soon as a chunk may end, so these end just before, at and after the end of a chunk. */
function edges(): Buffer[] {
  const around = [MIN_CHUNK - 1, MIN_CHUNK, MIN_CHUNK + 1, 2 * MIN_CHUNK, 2 * MIN_CHUNK + 1, 17 * MIN_CHUNK + 1];
  return [0, 1, ...around].map((length) => Buffer.alloc(length));
}

async function backUp(): Promise<string> {
  const snapshot = { hostname: 'test', tags: [], parentId: null, dryRun: false };
  const job = backupJob([source], { repositories: [access], snapshot });
  const result = await runBackup(job, { ...fixture.context, readersUrl });
  expect(result.status).toBe('success');
  return result.snapshot?.snapshotId ?? '';
}

async function restore(snapshotId: string, targetPath: string): Promise<void> {
  const artifact = {
    ...{ target: testTarget(1), storagePath: '', contentsPath: null, fileName: '', checksum: null, fileSize: null },
    ...{ encryption: null, snapshot: { repository: access, snapshotId } },
  };
  const job: RunRestoreJob = {
    ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 1, taskName: 'test', artifact, targetPath, paths: null },
    ...{ source: { type: 'file', config: { paths: [source] } }, overwrite: 'always' },
  };
  expect(await runRestore(job, fixture.context)).toMatchObject({ status: 'success', problems: [] });
}

it('any bytes come back', { timeout: 120_000 }, async () => {
  const out = path.join(root, 'out');
  await fc.assert(
    // Many files at a time: most of a run goes into its threads.
    fc.asyncProperty(fc.array(contents, { minLength: 6, maxLength: 12, size: 'max' }), async (files) => {
      // All runs go into one repository, so some of their chunks are there already.
      for (const folder of [source, out]) rmSync(folder, { recursive: true, force: true });
      mkdirSync(source);
      for (const [number, bytes] of files.entries()) writeFileSync(path.join(source, `${number}`), bytes);
      await restore(await backUp(), out);
      for (const [number, bytes] of files.entries()) {
        const isSame = readFileSync(path.join(out, 'source', `${number}`)).equals(bytes);
        expect(isSame, `file ${number} of ${bytes.byteLength} bytes`).toBe(true);
      }
    }),
    { numRuns: 5, examples: [[edges()]] },
  );
  const { problems } = await checkRepository(workOn(repository), 'all');
  expect(problems.filter(({ code }) => code !== 'key_missing')).toEqual([]);
});
