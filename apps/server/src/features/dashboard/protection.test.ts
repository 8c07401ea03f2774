import { describe, expect, it } from 'vitest';
import { dayStrip } from './day-strip.ts';
import { judgeTask, type TaskFacts } from './protection.ts';

const now = new Date('2026-06-15T12:00:00Z');
const HOUR_MS = 3_600_000;
const ago = (hours: number) => new Date(now.getTime() - hours * HOUR_MS).toISOString();

const healthy: TaskFacts = {
  isEnabled: true,
  createdAt: ago(1000),
  rpoHours: 0,
  intervalMs: 24 * HOUR_MS,
  nextRunAt: ago(-10),
  isNodeOnline: true,
  isRepositoryDamaged: false,
  lastGoodAt: ago(14),
  lastStatus: 'success',
  lastRunAt: ago(14),
};

describe('the verdict over a task', () => {
  it.each<[name: string, change: Partial<TaskFacts>, isProtected: boolean, reason: string | null]>([
    ['all is well', {}, true, null],
    ['a day late is still within twice the interval', { lastGoodAt: ago(47) }, true, null],
    ['older than twice the interval', { lastGoodAt: ago(49) }, false, 'missed'],
    ['an RPO is stricter', { rpoHours: 12 }, false, 'rpo_breached'],
    ['an RPO can be wider', { rpoHours: 72, lastGoodAt: ago(60) }, true, null],
    ['no schedule: any good backup will do', { intervalMs: null, nextRunAt: null, lastGoodAt: ago(9000) }, true, null],
    ['never ran', { lastGoodAt: null, lastStatus: null, lastRunAt: null }, false, 'never_ran'],
    ['first run under way', { lastGoodAt: null, lastStatus: 'running' }, false, null],
    ['failed last time, still protected by the one before', { lastStatus: 'failed' }, true, 'failed'],
    ['failed and nothing before it', { lastStatus: 'interrupted', lastGoodAt: null }, false, 'failed'],
    ['with warnings', { lastStatus: 'warning' }, true, 'warning'],
    ['server offline', { isNodeOnline: false }, false, 'node_offline'],
    ['its repository is damaged', { isRepositoryDamaged: true }, false, 'repository_damaged'],
    ['a slot passed without a run', { nextRunAt: ago(1) }, false, 'missed'],
    ['switched off', { isEnabled: false }, false, 'disabled'],
  ])('%s', (_name, change, isProtected, reason) => {
    expect(judgeTask({ ...healthy, ...change }, now)).toMatchObject({ isProtected, reason });
  });
});

describe('the 30-day strip', () => {
  const runs = [
    { task_id: 1, day: '2026-06-15', status: 'running', runs: 1 },
    { task_id: 1, day: '2026-06-14', status: 'success', runs: 1 },
    { task_id: 1, day: '2026-06-14', status: 'failed', runs: 2 },
    { task_id: 1, day: '2026-06-13', status: 'warning', runs: 1 },
  ];
  const strip = dayStrip({ createdAt: '2026-06-10T08:00:00.000Z', intervalMs: 24 * HOUR_MS }, runs, now);

  it('has 30 days, the oldest first, and shows the worst of each', () => {
    expect(strip).toHaveLength(30);
    expect(strip[0]?.date).toBe('2026-05-17');
    expect(strip.slice(-3)).toEqual([
      { date: '2026-06-13', state: 'warning', runs: 1 },
      { date: '2026-06-14', state: 'failed', runs: 3 },
      { date: '2026-06-15', state: 'running', runs: 1 },
    ]);
  });

  it('calls a day missed only when the task existed all day and runs daily', () => {
    expect(strip.filter((day) => day.state === 'missed').map((day) => day.date)).toEqual(['2026-06-11', '2026-06-12']);
    const byHand = dayStrip({ createdAt: '2026-06-10T08:00:00.000Z', intervalMs: null }, runs, now);
    expect(byHand.some((day) => day.state === 'missed')).toBe(false);
  });
});
