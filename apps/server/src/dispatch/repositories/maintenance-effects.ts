/** What the end of maintenance changes about its repository; written in the transaction that ends the record. */
import {
  type CheckRepositoryJob,
  type CheckRepositoryResult,
  checkRepositoryResultSchema,
  copySnapshotsResultSchema,
  forgetSnapshotsResultSchema,
  type PruneRepositoryResult,
  pruneRepositoryResultSchema,
  repairRepositoryResultSchema,
} from '@backupx/contracts/jobs';
import { condemnedPacksStore } from '../../stores/condemned-packs.store.ts';
import type { MaintenanceRow } from '../../stores/maintenance-records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import type { Db } from '../ports.ts';
import type { MaintenanceOptions } from './start-maintenance.ts';

export interface MaintenanceEnd {
  readonly status: 'success' | 'warning';
  /** JSON of the result as the contract has it. */
  readonly result: string;
  readonly summary: string;
  readonly problemCount: number;
  /** Writes what follows from it. */
  apply(trx: Db, now: Date): Promise<void>;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Everything is read in this many days. */
const ROTATION_DAYS = 30;
/** After this many forgotten snapshots a repository is cleaned up before its plan says so. */
export const MANY_FORGOTTEN = 100;

/** Into how many parts the data is divided for scheduled checks every `days` days. */
export function partsOfRotation(days: number): number {
  return Math.max(1, Math.floor(ROTATION_DAYS / Math.max(1, days)));
}

/** Null: never by itself. */
export function nextTime(now: Date, everyDays: number): string | null {
  return everyDays === 0 ? null : new Date(now.getTime() + everyDays * DAY_MS).toISOString();
}

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;

/** A check that read less than the one that found the damage does not know whether it is gone. */
function provesHealth(row: RepositoryRow, read: CheckRepositoryJob['read']): boolean {
  if (row.state !== 'damaged' || read === 'all') return true;
  return row.damage_read === '"structure"' || row.damage_read === JSON.stringify(read);
}

interface Check {
  readonly read: CheckRepositoryJob['read'];
  /** By hand, a look at the structure alone does not put off the next one that reads data. */
  readonly isScheduled: boolean;
}

function checkColumns(row: RepositoryRow, { read, isScheduled }: Check, result: CheckRepositoryResult, now: Date) {
  const at = now.toISOString();
  const next = read === 'structure' && !isScheduled ? {} : { next_check_at: nextTime(now, row.check_every_days) };
  const checked = { last_check_at: at, ...next };
  const part = typeof read === 'object' ? { check_part: read.n % read.of } : {};
  if (result.status === 'damaged') {
    return {
      ...checked,
      ...part,
      state: 'damaged',
      last_check_ok: 0,
      problem_count: result.problemCount,
      damaged_since: row.damaged_since ?? at,
      damage_read: JSON.stringify(read),
    } as const;
  }
  if (!provesHealth(row, read)) return { ...checked, ...part };
  return {
    ...checked,
    ...part,
    state: 'ok',
    last_check_ok: 1,
    problem_count: 0,
    damaged_since: null,
    damage_read: '',
  } as const;
}

function endCheck(row: RepositoryRow, check: Check, raw: unknown): MaintenanceEnd {
  const result = checkRepositoryResultSchema.parse(raw);
  const isClean = result.status === 'clean';
  const read_ = result.bytesRead > 0 ? `, ${megabytes(result.bytesRead)} read` : '';
  return {
    status: isClean ? 'success' : 'warning',
    result: JSON.stringify({ check: result }),
    problemCount: result.problemCount,
    summary: isClean
      ? `Nothing wrong: ${result.snapshotCount} snapshot(s), ${result.packCount} pack(s)${read_}.`
      : `${result.problemCount} problem(s); ${result.intactSnapshotIds.length} of ${result.snapshotCount} snapshot(s) restore whole.`,
    apply: (trx, now) => repositoriesStore.update(trx, row.id, checkColumns(row, check, result, now)),
  };
}

function endMark(row: RepositoryRow, isDryRun: boolean, raw: unknown): MaintenanceEnd {
  const result = pruneRepositoryResultSchema.parse(raw);
  const condemned = result.condemnedPacks;
  // The list may be long and lies in the journal.
  const kept: PruneRepositoryResult = { ...result, condemnedPacks: condemned.slice(0, 1000) };
  return {
    status: 'success',
    result: JSON.stringify({ prune: kept }),
    problemCount: 0,
    summary:
      condemned.length === 0 && !isDryRun
        ? 'Nothing to delete.'
        : `${condemned.length} of ${result.packsBefore} pack(s) can go, ${megabytes(result.bytesFreed)}.`,
    async apply(trx, now) {
      if (isDryRun) return;
      const at = now.toISOString();
      if (condemned.length > 0) {
        const lastLeaseId = await repositoryLeasesStore.lastId(trx);
        await condemnedPacksStore.add(trx, { repositoryId: row.id, packs: condemned, lastLeaseId, now: at });
      }
      await repositoriesStore.update(trx, row.id, {
        last_prune_at: at,
        next_prune_at: nextTime(now, row.prune_every_days),
        forgotten_count: 0,
        stored_bytes: result.bytesBefore,
        next_sweep_at: null,
      });
    },
  };
}

function endSweep(row: RepositoryRow, raw: unknown): MaintenanceEnd {
  const result = pruneRepositoryResultSchema.parse(raw);
  return {
    status: 'success',
    result: JSON.stringify({ sweep: { ...result, condemnedPacks: [] } }),
    problemCount: 0,
    summary: `${result.packsRemoved} pack(s) deleted, ${megabytes(result.bytesFreed)} freed.`,
    async apply(trx) {
      await condemnedPacksStore.clear(trx, row.id);
      await repositoriesStore.update(trx, row.id, {
        stored_bytes: Math.max(0, result.bytesBefore - result.bytesFreed),
        next_sweep_at: null,
      });
    },
  };
}

function endOther(row: RepositoryRow, options: MaintenanceOptions, raw: unknown): MaintenanceEnd {
  const good = { status: 'success', problemCount: 0, apply: async () => undefined } as const;
  if (options.kind === 'repair') {
    const repair = repairRepositoryResultSchema.parse(raw);
    return {
      ...good,
      result: JSON.stringify({ repair }),
      summary: `${repair.changes.length} change(s)${options.dryRun ? ' would be made' : ''}.`,
      async apply(trx, now) {
        // What was damaged is looked at again soon.
        if (!options.dryRun) await repositoriesStore.update(trx, row.id, { next_check_at: now.toISOString() });
      },
    };
  }
  if (options.kind === 'copy') {
    const copy = copySnapshotsResultSchema.parse(raw);
    return {
      ...good,
      result: JSON.stringify({ copy }),
      summary: `${copy.copied.length} snapshot(s) copied, ${copy.skipped} were there; ${megabytes(copy.bytesStored)} stored.`,
      apply: (trx) => repositoriesStore.addStoredBytes(trx, options.toRepositoryId, copy.bytesStored),
    };
  }
  const forget = forgetSnapshotsResultSchema.parse(raw);
  const isDryRun = options.kind === 'forget' && options.dryRun;
  return {
    ...good,
    result: JSON.stringify({ forget }),
    summary: `${forget.removed.length} snapshot(s) ${isDryRun ? 'would go' : 'removed'}, ${forget.kept.length} kept.`,
    async apply(trx, now) {
      const early = { count: forget.removed.length, many: MANY_FORGOTTEN, now: now.toISOString() };
      if (!isDryRun) await repositoriesStore.noteForgotten(trx, row.id, early);
    },
  };
}

/** Reads a job's result. Throws when it is not one of this kind. */
export function readMaintenanceEnd(record: MaintenanceRow, row: RepositoryRow, raw: unknown): MaintenanceEnd {
  const options = JSON.parse(record.options) as MaintenanceOptions;
  if (options.kind === 'check') {
    return endCheck(row, { read: options.read, isScheduled: record.trigger === 'schedule' }, raw);
  }
  if (options.kind === 'prune') return endMark(row, options.dryRun, raw);
  if (options.kind === 'sweep') return endSweep(row, raw);
  return endOther(row, options, raw);
}

async function noteDamage(trx: Db, record: MaintenanceRow, at: string): Promise<void> {
  const options = JSON.parse(record.options) as MaintenanceOptions;
  if (options.kind === 'copy') {
    // It lies on one of the two sides; a check finds out on which.
    for (const id of [record.repository_id, options.toRepositoryId]) {
      await repositoriesStore.update(trx, id, { next_check_at: at });
    }
    return;
  }
  const row = await repositoriesStore.find(trx, record.repository_id);
  await repositoriesStore.update(trx, record.repository_id, {
    state: 'damaged',
    last_check_ok: 0,
    problem_count: Math.max(1, row?.problem_count ?? 0),
    damaged_since: row?.damaged_since ?? at,
    damage_read: row?.damage_read || '"structure"',
  });
}

/**
 * What failed by itself is not tried again at once, and is seen: a check that could not be done is not a good check.
 * Work that met damage says as much as a check that found it.
 */
export async function noteFailedMaintenance(
  trx: Db,
  record: MaintenanceRow,
  end: { code: string; now: Date },
): Promise<void> {
  const { code, now } = end;
  const at = now.toISOString();
  if (code === 'REPOSITORY_DAMAGED') await noteDamage(trx, record, at);
  if (record.trigger !== 'schedule') return;
  if (record.kind === 'check') {
    await repositoriesStore.update(trx, record.repository_id, { last_check_at: at, last_check_ok: 0 });
  }
  const later = new Date(now.getTime() + HOUR_MS).toISOString();
  const column = { check: 'next_check_at', prune: 'next_prune_at', sweep: 'next_sweep_at' }[record.kind];
  if (column) await repositoriesStore.update(trx, record.repository_id, { [column]: later });
}
