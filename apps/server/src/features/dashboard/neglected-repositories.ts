/**
 * "Would we know if a repository went bad?" Checks and clean-ups that should have happened by themselves and did not,
 * whatever held them up: an error each time, a server that is away, a run that never ends. Pure.
 */
import type { NeglectedRepository } from '@backupx/contracts/api/system';
import type { LastMaintenance } from '../../stores/maintenance-records.store.ts';
import type { RepositoryRow } from '../../stores/repositories.store.ts';

type Work = NeglectedRepository['work'];
type Plan = Pick<
  RepositoryRow,
  'id' | 'name' | 'state' | 'check_every_days' | 'prune_every_days' | 'next_check_at' | 'next_prune_at'
>;

const DAY_MS = 86_400_000;
const FAILED: readonly string[] = ['failed', 'interrupted'];

/** A day late: what waits for the installation's quiet hours is not overdue. Also one that a wrong clock put off. */
function overdueAt(everyDays: number, nextAt: string | null, now: Date): string | null {
  if (everyDays === 0 || nextAt === null) return null;
  const lateMs = now.getTime() - Date.parse(nextAt);
  return lateMs > DAY_MS || -lateMs > (everyDays + 1) * DAY_MS ? nextAt : null;
}

function judge(row: Plan, work: Work, last: LastMaintenance | undefined, now: Date): NeglectedRepository | null {
  const about = { id: row.id, name: row.name, work };
  // Of a damaged one it is told already, and damage is why most work on it fails.
  if (last && FAILED.includes(last.status) && row.state !== 'damaged') {
    return { ...about, reason: 'failed', at: last.completed_at ?? last.started_at, maintenanceRecordId: last.id };
  }
  const at =
    work === 'check'
      ? overdueAt(row.check_every_days, row.next_check_at, now)
      : overdueAt(row.prune_every_days, row.next_prune_at, now);
  return at === null ? null : { ...about, reason: 'overdue', at, maintenanceRecordId: null };
}

/** In the order of `rows`, a repository's check first. `last`: the newest ended try of each repository. */
export function neglectedRepositories(
  rows: readonly Plan[],
  last: Readonly<Record<Work, readonly LastMaintenance[]>>,
  now: Date,
): NeglectedRepository[] {
  const lastOf = (work: Work) => new Map(last[work].map((one) => [one.repository_id, one]));
  const found = { check: lastOf('check'), cleanup: lastOf('cleanup') };
  return rows
    .filter((row) => row.state !== 'new')
    .flatMap((row) => (['check', 'cleanup'] as const).map((work) => judge(row, work, found[work].get(row.id), now)))
    .filter((one) => one !== null);
}
