import { expect, it } from 'vitest';
import type { LastMaintenance } from '../../stores/maintenance-records.store.ts';
import { neglectedRepositories } from './neglected-repositories.ts';

const now = new Date('2026-03-10T12:00:00.000Z');
const at = (hours: number) => new Date(now.getTime() + hours * 3_600_000).toISOString();
const planned = {
  id: 1,
  name: 'main',
  state: 'ok',
  check_every_days: 7,
  prune_every_days: 7,
  next_check_at: at(24),
  next_prune_at: at(24),
} as const;
const ended = (status: LastMaintenance['status']): LastMaintenance => ({
  id: 9,
  repository_id: 1,
  status,
  started_at: at(-3),
  completed_at: at(-2),
});
const judge = (row: Partial<Parameters<typeof neglectedRepositories>[0][number]>, last: object = {}) =>
  neglectedRepositories([{ ...planned, ...row }], { check: [], cleanup: [], ...last }, now);

it('has nothing to say of a repository that is looked after', () => {
  expect(judge({}, { check: [ended('success')], cleanup: [ended('warning')] })).toEqual([]);
  expect(judge({ next_check_at: at(-23), next_prune_at: at(-23) }), 'the quiet hours are awaited').toEqual([]);
});

it('names work that is more than a day late', () => {
  expect(judge({ next_check_at: at(-25), next_prune_at: at(-200) })).toEqual([
    { id: 1, name: 'main', work: 'check', reason: 'overdue', at: at(-25), maintenanceRecordId: null },
    { id: 1, name: 'main', work: 'cleanup', reason: 'overdue', at: at(-200), maintenanceRecordId: null },
  ]);
});

it('names a last try that failed, however soon it is tried again', () => {
  expect(judge({ next_check_at: at(0.5) }, { check: [ended('failed')] })).toEqual([
    { id: 1, name: 'main', work: 'check', reason: 'failed', at: at(-2), maintenanceRecordId: 9 },
  ]);
  expect(judge({}, { cleanup: [ended('interrupted')] })).toMatchObject([{ work: 'cleanup', reason: 'failed' }]);
});

it('sees through a clock that was wrong for a while: no plan lies further ahead than its own interval', () => {
  expect(judge({ next_check_at: at(24 * 9) })).toMatchObject([{ work: 'check', reason: 'overdue' }]);
});

it('leaves alone what is only made by the first run, not planned, or known to be damaged', () => {
  const late = { next_check_at: at(-99), next_prune_at: at(-99) };
  expect(judge({ ...late, state: 'new' })).toEqual([]);
  expect(judge({ ...late, check_every_days: 0, prune_every_days: 0 })).toEqual([]);
  expect(judge({ state: 'damaged' }, { check: [ended('failed')], cleanup: [ended('failed')] })).toEqual([]);
});
