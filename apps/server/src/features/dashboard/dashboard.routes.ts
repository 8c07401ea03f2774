/** The overview: is everything protected, what runs, what failed. A fixed number of statements, however many tasks. */
import { dashboardRoutes } from '@backupx/contracts/api/system';
import type { Task } from '@backupx/contracts/api/tasks';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { Clock } from '@backupx/engine/ports/clock';
import { recordRowAnswer } from '../../dispatch/record-answer.ts';
import { type TaskAnswerDeps, taskAnswers } from '../../dispatch/task-answer.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { intervalMs } from '../../scheduling/schedule-clock.ts';
import { maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { tasksStore } from '../../stores/tasks.store.ts';
import { verifyRecordsStore } from '../../stores/verify-records.store.ts';
import { type DayRuns, dayStrip, stripStart } from './day-strip.ts';
import { neglectedRepositories } from './neglected-repositories.ts';
import { judgeTask, reasonMessages, reasonOrder, type Verdict } from './protection.ts';

export interface DashboardFeatureDeps extends TaskAnswerDeps {
  readonly clock: Clock;
  readonly defaultTimezone: () => Promise<string>;
  /** Ids of all nodes and whether each is online now; one statement or none. */
  readonly nodeStates: () => Promise<ReadonlyMap<number, boolean>>;
}

const MAX_RUNNING = 50;
const MAX_FAILURES = 10;
const FAILURE_WINDOW_MS = 7 * 86_400_000;
const STATS_WINDOW_MS = 30 * 86_400_000;

/** Schedules repeat among tasks and change rarely; the interval of each is computed once per answer. */
function intervalReader(defaultZone: string, now: Date): (task: Task) => number | null {
  const known = new Map<string, number | null>();
  return (task) => {
    const key = `${task.timezone}\n${task.cronExpr}`;
    let interval = known.get(key);
    if (interval === undefined) {
      try {
        interval = intervalMs({ cronExpr: task.cronExpr, timezone: task.timezone || defaultZone }, now);
      } catch {
        interval = null;
      }
      known.set(key, interval);
    }
    return interval;
  };
}

interface JudgedTask {
  readonly task: Task;
  readonly verdict: Verdict;
  readonly interval: number | null;
}

function exceptionOf({ task, verdict }: JudgedTask) {
  if (verdict.reason === null) return [];
  const recordId = task.lastRun?.recordId ?? null;
  const message = reasonMessages[verdict.reason];
  return [{ taskId: task.id, taskName: task.name, reason: verdict.reason, since: verdict.since, recordId, message }];
}

function groupByTask(rows: readonly DayRuns[]): Map<number, DayRuns[]> {
  const groups = new Map<number, DayRuns[]>();
  for (const row of rows) {
    const group = groups.get(row.task_id);
    if (group) group.push(row);
    else groups.set(row.task_id, [row]);
  }
  return groups;
}

function ago(now: Date, ms: number): string {
  return new Date(now.getTime() - ms).toISOString();
}

/** The repository it names, or the own ones of its node on its targets. */
function usesRepository(task: Task, row: RepositoryRow): boolean {
  if (task.backupMode !== 'repository') return false;
  if (task.repositoryId === row.id) return true;
  return row.is_own === 1 && row.node_id === task.nodeId && task.storageTargetIds.includes(row.storage_target_id);
}

interface Surroundings {
  readonly nodes: ReadonlyMap<number, boolean>;
  readonly damaged: readonly RepositoryRow[];
  readonly now: Date;
}

async function judgeAll(deps: DashboardFeatureDeps, { nodes, damaged, now }: Surroundings) {
  const intervalOf = intervalReader(await deps.defaultTimezone(), now);
  const tasks = await taskAnswers(deps, await tasksStore.allLiving(deps.db));
  return tasks.map((task): JudgedTask => {
    const interval = intervalOf(task);
    const facts = {
      isEnabled: task.enabled,
      createdAt: task.createdAt,
      rpoHours: task.slaHoursRpo,
      intervalMs: interval,
      nextRunAt: task.nextRunAt,
      isNodeOnline: nodes.get(task.nodeId) ?? false,
      isRepositoryDamaged: damaged.some((row) => usesRepository(task, row)),
      isVerifyFailed: task.lastVerified?.status === 'failed',
      lastGoodAt: task.lastSuccessAt,
      lastStatus: (task.lastStatus || null) as RecordStatus | null,
      lastRunAt: task.lastRunAt,
    };
    return { task, interval, verdict: judgeTask(facts, now) };
  });
}

async function lastMaintenance(db: DashboardFeatureDeps['db']) {
  return {
    check: await maintenanceRecordsStore.lastEnded(db, ['check']),
    cleanup: await maintenanceRecordsStore.lastEnded(db, ['prune', 'sweep']),
  };
}

async function lastFailedVerification(db: DashboardFeatureDeps['db']) {
  const row = await verifyRecordsStore.lastFailed(db);
  if (!row) return null;
  return { id: row.id, taskId: row.task_id, taskName: row.task_name, at: row.completed_at ?? row.started_at };
}

async function overview(deps: DashboardFeatureDeps) {
  const { db } = deps;
  const now = deps.clock.now();
  const nodes = await deps.nodeStates();
  const repositories = await repositoriesStore.all(db);
  const damaged = repositories.filter((row) => row.state === 'damaged');
  const judged = await judgeAll(deps, { nodes, damaged, now });
  const days = groupByTask(await recordsStore.runsPerDay(db, stripStart(now)));
  const good = judged.flatMap(({ task }) => (task.enabled && task.lastSuccessAt ? [task.lastSuccessAt] : []));
  const running = await recordsStore.runningViews(db, MAX_RUNNING);
  const failures = await recordsStore.failuresSince(db, ago(now, FAILURE_WINDOW_MS), MAX_FAILURES);
  return {
    asOf: now.toISOString(),
    totalTasks: judged.length,
    protectedTasks: judged.filter(({ verdict }) => verdict.isProtected).length,
    oldestGoodAt: good.toSorted()[0] ?? null,
    exceptions: judged.flatMap(exceptionOf).toSorted((a, b) => reasonOrder[a.reason] - reasonOrder[b.reason]),
    tasks: judged.map(({ task, interval, verdict }) => ({
      ...task,
      isProtected: verdict.isProtected,
      strip: dayStrip({ createdAt: task.createdAt, intervalMs: interval }, days.get(task.id) ?? [], now),
    })),
    running: running.map((row) => recordRowAnswer(row, now)),
    recentFailures: failures.map((row) => recordRowAnswer(row, now)),
    nodes: { total: nodes.size, online: [...nodes.values()].filter(Boolean).length },
    verification: {
      failed: judged.filter(({ task }) => task.lastVerified?.status === 'failed').length,
      never: judged.filter(({ task }) => task.lastSuccessAt !== null && task.lastVerified === null).length,
      lastFailed: await lastFailedVerification(db),
    },
    repositories: {
      total: repositories.length,
      damaged: damaged.map((row) => ({
        id: row.id,
        name: row.name,
        problemCount: Number(row.problem_count),
        since: row.damaged_since,
      })),
      neglected: neglectedRepositories(repositories, await lastMaintenance(db), now),
    },
    storedBytes: (await recordsStore.totals(db)).goodBytes,
  };
}

function countRuns(runs: readonly DayRuns[], statuses: readonly string[]): number {
  return runs.reduce((sum, run) => sum + (statuses.includes(run.status) ? Number(run.runs) : 0), 0);
}

async function stats(deps: DashboardFeatureDeps) {
  const { db } = deps;
  const now = deps.clock.now();
  const tasks = await tasksStore.allLiving(db);
  const totals = await recordsStore.totals(db);
  const runs = await recordsStore.runsPerDay(db, ago(now, STATS_WINDOW_MS));
  const goodCount = countRuns(runs, ['success', 'warning']);
  const endedCount = goodCount + countRuns(runs, ['failed', 'interrupted']);
  return {
    totalTasks: tasks.length,
    enabledTasks: tasks.filter((task) => task.enabled === 1).length,
    totalRecords: totals.records,
    successRate: endedCount === 0 ? 0 : goodCount / endedCount,
    totalBackupBytes: totals.goodBytes,
    lastBackupAt: totals.lastCompletedAt,
    runningTasks: await recordsStore.countRunning(db),
  };
}

export function dashboardRoutesOf(deps: DashboardFeatureDeps): BoundRoute[] {
  return [bind(dashboardRoutes.overview, () => overview(deps)), bind(dashboardRoutes.stats, () => stats(deps))];
}
