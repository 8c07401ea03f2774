/**
 * Frees the space of what no snapshot needs. `exclusive` does it all under one exclusive lock, as stock programs do;
 * `mark` and `sweep` are the two halves for a repository in which backups go on:
 *
 * - `mark` works beside them. It stores copies of what is needed out of packs with much waste, and answers the packs
 *   that may go: the condemned. Work that begins later does not see these, so it cannot come to need them.
 * - `sweep` waits (in the master) until everything older than the mark has ended. A backup from before may have used a
 *   blob of a condemned pack, so all snapshots are read again, and packs that one needs stay.
 *
 * The order of every change is that of a backup backwards: new packs, their index, the replaced index files, then old
 * index files go, then packs. So at every moment all that a snapshot needs is stored and named by an index.
 */
import type { PruneRepositoryResult } from '@backupx/contracts/jobs';
import type { BitSet } from '../bit-set.ts';
import { createBlobReader } from '../blob-reader.ts';
import { fromHex } from '../format/blob-id.ts';
import { createPackWriter } from '../pack-writer.ts';
import { chooseCopies } from './choose-copies.ts';
import { listNames } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { type PruneLimits, type PrunePlan, planPrune } from './prune-plan.ts';
import { windowsOf } from './read-pack-blobs.ts';
import { removePacks } from './remove-packs.ts';
import { rewriteIndex } from './rewrite-index.ts';
import { assertNothingLost, isWhole, packsNamedSince, type Survey, surveyRepository } from './survey.ts';
import { transferBlobs } from './transfer-blobs.ts';

const MAX_SURVEYS = 4;

export interface PruneOptions extends PruneLimits {
  readonly dryRun: boolean;
  /** Packs (hex) that an earlier mark condemned. */
  readonly condemnedPacks: readonly string[];
}

/** Needs the exclusive lock. Throws REPOSITORY_DAMAGED, before anything is removed, when something needed is missing. */
export async function pruneExclusively(work: MaintenanceWork, options: PruneOptions): Promise<PruneRepositoryResult> {
  const survey = await surveyRepository(work);
  const { chosen, plan } = planWith(work, survey, options);
  const doomed = [...plan.remove, ...plan.repack];
  const unindexed = survey.stored.unindexed.map(({ id }) => id);
  const result = describeResult(survey, { plan, doomed, unindexed });
  if (options.dryRun) return result;
  // They are in no index, and nobody else is at work: the first space to come free.
  await removePacks(work, unindexed);
  const repacked = await repack(work, survey, { chosen, plan });
  await removeDoomed(work, survey, { doomed, unindexed: [], indexFiles: repacked.indexFiles });
  return { ...result, bytesFreed: result.bytesFreed - repacked.bytesStored };
}

/**
 * Needs a shared lock; deletes nothing. `condemnedPacks` of the result is all that a sweep may delete, `bytesFreed` what
 * that will free.
 */
export async function markForSweep(work: MaintenanceWork, options: PruneOptions): Promise<PruneRepositoryResult> {
  const survey = await surveyRepository(work);
  const { chosen, plan } = planWith(work, survey, options);
  const doomed = [...plan.remove, ...plan.repack];
  const unindexed = survey.stored.unindexed.map(({ id }) => id);
  const condemnedPacks = [...doomed.map((pack) => survey.table.hexOf(pack)), ...unindexed];
  if (!options.dryRun) await repack(work, survey, { chosen, plan });
  return { ...describeResult(survey, { plan, doomed, unindexed }), packsRemoved: 0, condemnedPacks };
}

/**
 * Needs the exclusive lock, beside which only work younger than the mark may go on. Deletes those of
 * `options.condemnedPacks` that no snapshot needs; safe to repeat after it was cut off at any point.
 */
export async function sweepCondemned(work: MaintenanceWork, options: PruneOptions): Promise<PruneRepositoryResult> {
  const survey = await surveyUnchanged(work);
  const { table, stored } = survey;
  const condemned = condemnedIn(survey, options);
  const { chosen, lost } = chooseCopies({
    ...survey,
    isUsable: (pack) => isWhole(survey, pack),
    isLastResort: (pack) => condemned.has(pack),
  });
  assertNothingLost(survey, lost);
  const pardoned = new Set<number>();
  for (const entry of chosen) if (condemned.has(table.packOf(entry))) pardoned.add(table.packOf(entry));
  const doomed = [...condemned].filter((pack) => !pardoned.has(pack));
  if (pardoned.size > 0) work.log?.('info', `${pardoned.size} condemned pack(s) are needed again and stay.`);
  const ids = new Set(options.condemnedPacks);
  const unindexed = stored.unindexed.filter(({ id }) => ids.has(id)).map(({ id }) => id);
  const plan: PrunePlan = {
    remove: doomed,
    repack: [],
    packBytes: 0,
    unusedLeft: unusedBytes(survey, { chosen, doomed: new Set(doomed) }),
  };
  if (!options.dryRun) await removeDoomed(work, survey, { doomed, unindexed, indexFiles: [] });
  return describeResult(survey, { plan, doomed, unindexed });
}

/** A snapshot that was saved while the others were looked at is looked at too. */
async function surveyUnchanged(work: MaintenanceWork): Promise<Survey> {
  for (let attempt = 1; ; attempt += 1) {
    const survey = await surveyRepository(work);
    const known = new Set(survey.snapshots.map(({ id }) => id));
    const isUnchanged = (await listNames(work, 'snapshots')).every((name) => known.has(name));
    // Work that goes on beside a sweep cannot need what is condemned, so after a while it is no reason to wait.
    if (isUnchanged || attempt === MAX_SURVEYS) return survey;
  }
}

function condemnedIn({ table }: Survey, { condemnedPacks }: PruneOptions): Set<number> {
  const packs = condemnedPacks.map((id) => table.find(fromHex(id)));
  return new Set(packs.filter((pack) => pack >= 0));
}

function planWith(work: MaintenanceWork, survey: Survey, options: PruneOptions) {
  const { table } = survey;
  const condemned = condemnedIn(survey, options);
  const mustGo = (pack: number) => condemned.has(pack);
  const { chosen, lost } = chooseCopies({
    ...survey,
    isUsable: (pack) => isWhole(survey, pack),
    isLastResort: mustGo,
  });
  assertNothingLost(survey, lost);
  const plan = planPrune({ ...options, table, chosen, mustGo, version: work.repository.config.version });
  return { chosen, plan };
}

interface Repack {
  readonly chosen: BitSet;
  readonly plan: PrunePlan;
}

/** Stores copies of what is needed out of the packs, and their index. */
async function repack(work: MaintenanceWork, { loaded, table }: Survey, { chosen, plan }: Repack) {
  const { repository, signal, clock, onStored } = work;
  const { index } = loaded;
  const writer = createPackWriter({ repository, signal, clock, ...(onStored ? { onStored } : {}) });
  function* windows() {
    for (const pack of plan.repack) {
      const entries = [...table.entriesOf(pack)].filter((entry) => chosen.has(entry));
      yield* windowsOf(index, table.hexOf(pack), entries);
    }
  }
  const reader = createBlobReader({ repository, index, signal });
  await transferBlobs({ source: work, index, windows: windows(), writer, reader });
  const indexFiles = await writer.finish();
  return { bytesStored: writer.stats.bytesStored, indexFiles };
}

interface Doomed {
  /** Packs of the index. */
  readonly doomed: readonly number[];
  /** Packs (hex) in no index. */
  readonly unindexed: readonly string[];
  /** Index files that were written meanwhile by this work. */
  readonly indexFiles: readonly string[];
}

/** Takes the packs out of the index, then out of the storage. */
async function removeDoomed(work: MaintenanceWork, { loaded, table, stored }: Survey, remove: Doomed): Promise<void> {
  const { doomed, unindexed, indexFiles } = remove;
  const dropped = new Set(doomed);
  const rewritten = await rewriteIndex(work, { loaded, table, isDropped: (pack) => dropped.has(pack) });
  const known = [...loaded.files.map(({ name }) => name), ...indexFiles, ...rewritten.stored];
  const named = await packsNamedSince(work, new Set(known));
  const present = doomed.filter((pack) => (stored.sizes[pack] ?? -1) >= 0).map((pack) => table.hexOf(pack));
  await removePacks(
    work,
    [...present, ...unindexed].filter((id) => !named.has(id)),
  );
}

function unusedBytes({ table }: Survey, { chosen, doomed }: { chosen: BitSet; doomed: ReadonlySet<number> }): number {
  let bytes = 0;
  for (let pack = 0; pack < table.count; pack += 1) {
    if (doomed.has(pack)) continue;
    for (const entry of table.entriesOf(pack)) if (!chosen.has(entry)) bytes += table.index.storedLengthOf(entry);
  }
  return bytes;
}

function describeResult(
  { stored }: Survey,
  { plan, doomed, unindexed }: { plan: PrunePlan; doomed: readonly number[]; unindexed: readonly string[] },
): PruneRepositoryResult {
  const gone = new Set(unindexed);
  const sizes = [
    ...doomed.map((pack) => stored.sizes[pack] ?? -1).filter((size) => size >= 0),
    ...stored.unindexed.filter(({ id }) => gone.has(id)).map(({ sizeBytes }) => sizeBytes),
  ];
  const present = stored.sizes.filter((size) => size >= 0).length;
  return {
    packsBefore: present + stored.unindexed.length,
    packsRemoved: sizes.length,
    packsRepacked: plan.repack.length,
    bytesBefore: stored.totalBytes,
    bytesFreed: sizes.reduce((sum, size) => sum + size, 0),
    bytesUnusedLeft: plan.unusedLeft,
    condemnedPacks: [],
  };
}
