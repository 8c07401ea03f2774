/**
 * Keeps repositories healthy by itself: deletes what a clean-up has condemned as soon as nobody can need it any more,
 * and starts checks and clean-ups when their time has come. It decides from the tables alone, so a kill at any point
 * changes nothing: the next look goes on where the last one ended.
 */
import { AppError } from '@backupx/contracts/errors';
import type { CheckRepositoryJob } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { DispatchLog } from '../dispatch/dispatch-log.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Db } from '../dispatch/ports.ts';
import { partsOfRotation } from '../dispatch/repositories/maintenance-effects.ts';
import type { MaintenanceOptions } from '../dispatch/repositories/start-maintenance.ts';
import { condemnedPacksStore } from '../stores/condemned-packs.store.ts';
import { maintenanceRecordsStore } from '../stores/maintenance-records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../stores/repository-leases.store.ts';
import { isInWindow } from './maintenance-window.ts';
import { repeatTick } from './repeat-tick.ts';

export interface DueMaintenanceDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly dispatcher: Pick<Dispatcher, 'startMaintenance'>;
  /** The installation's window for scheduled maintenance, and its zone. */
  readonly plan: () => Promise<{ readonly maintenanceWindow: string; readonly timezone: string }>;
  readonly log: DispatchLog;
}

export interface DueMaintenance {
  /** Starts everything that is due now; answers how many runs began. */
  tick(): Promise<number>;
  /** Ticks every few seconds until `stop`. */
  start(): void;
  stop(): Promise<void>;
}

const TICK_MS = 10_000;
const RETRY_MS = 3_600_000;
const MAX_UNUSED_SHARE = 0.05;
/** Plans reach a year at most. */
const FARTHEST_MS = 366 * 86_400_000;

/** What the next scheduled check reads: after damage the same again, otherwise the next part of the rotation. */
function nextRead(row: RepositoryRow): CheckRepositoryJob['read'] {
  if (row.state === 'damaged' && row.damage_read !== '') {
    return JSON.parse(row.damage_read) as CheckRepositoryJob['read'];
  }
  const of = partsOfRotation(row.check_every_days);
  return of === 1 ? 'all' : { n: (row.check_part % of) + 1, of };
}

interface Moment {
  readonly now: string;
  /** No plan reaches beyond it; see `repositoriesStore.withDueWork`. */
  readonly farthest: string;
}

const isDue = (at: string | null, { now, farthest }: Moment): boolean => at !== null && (at <= now || at > farthest);

/** True when every lease that may not know of the condemned packs has ended. */
async function isSweepable(db: Db, row: RepositoryRow, lastLeaseId: number, moment: Moment): Promise<boolean> {
  if (row.next_sweep_at !== null && !isDue(row.next_sweep_at, moment)) return false;
  const open = await repositoryLeasesStore.openOfRepository(db, row.id);
  return open.every((lease) => lease.id > lastLeaseId);
}

async function dueWork(
  db: Db,
  row: RepositoryRow,
  moment: Moment,
  isOpen: boolean,
): Promise<MaintenanceOptions | null> {
  const lastLeaseId = await condemnedPacksStore.lastLeaseId(db, row.id);
  if (lastLeaseId !== null && (await isSweepable(db, row, lastLeaseId, moment))) return { kind: 'sweep' };
  if (!isOpen) return null;
  if (isDue(row.next_check_at, moment)) return { kind: 'check', read: nextRead(row) };
  if (!isDue(row.next_prune_at, moment) || lastLeaseId !== null) return null;
  return { kind: 'prune', maxUnusedShare: MAX_UNUSED_SHARE, dryRun: false };
}

const columns = { check: 'next_check_at', prune: 'next_prune_at', sweep: 'next_sweep_at' } as const;

export function createDueMaintenance(deps: DueMaintenanceDeps): DueMaintenance {
  const { db, clock, dispatcher, log } = deps;
  const repeated = repeatTick(deps, { everyMs: TICK_MS, what: 'due maintenance', tick });

  /** Waiting for a node or for other maintenance is not worth a line; anything else is, once an hour. */
  async function notStarted(row: RepositoryRow, options: MaintenanceOptions, error: unknown): Promise<void> {
    const code = error instanceof AppError ? error.code : '';
    if (['REPOSITORY_BUSY', 'NODE_OFFLINE', 'NODE_NOT_FOUND'].includes(code)) return;
    log.error({ err: error }, `${options.kind} of repository ${row.id} (${row.name}) could not be started`);
    const column = columns[options.kind as keyof typeof columns];
    const later = new Date(clock.now().getTime() + RETRY_MS).toISOString();
    await repositoriesStore.update(db, row.id, { [column]: later });
  }

  async function startOne(row: RepositoryRow, moment: Moment, isOpen: boolean): Promise<boolean> {
    if ((await maintenanceRecordsStore.runningIdOfRepository(db, row.id)) !== undefined) return false;
    const options = await dueWork(db, row, moment, isOpen);
    if (!options) return false;
    try {
      await dispatcher.startMaintenance({ repositoryId: row.id, options, trigger: 'schedule', requestedBy: '' });
      return true;
    } catch (error) {
      await notStarted(row, options, error);
      return false;
    }
  }

  async function tick(): Promise<number> {
    const at = clock.now();
    const moment = { now: at.toISOString(), farthest: new Date(at.getTime() + FARTHEST_MS).toISOString() };
    const { maintenanceWindow, timezone } = await deps.plan();
    const isOpen = isInWindow(maintenanceWindow, timezone, at);
    let started = 0;
    for (const row of await repositoriesStore.withDueWork(db, moment)) {
      if (repeated.signal.aborted) return started;
      if (await startOne(row, moment, isOpen)) started += 1;
    }
    return started;
  }

  return { tick, start: repeated.start, stop: repeated.stop };
}
