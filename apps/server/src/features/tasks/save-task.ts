/** Creates and changes tasks: checks everything a run will need, then writes the task and its targets at once. */
import type { taskInputSchema } from '@backupx/contracts/api/tasks';
import { AppError, type FieldProblem } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { z } from 'zod';
import { assertKnowsMode } from '../../dispatch/choose-node.ts';
import { withFlatDatabase } from '../../dispatch/flat-source.ts';
import type { Db, NodeDirectory } from '../../dispatch/ports.ts';
import { assertReachable } from '../../dispatch/repositories/plan-repositories.ts';
import { fillSecrets } from '../../dispatch/stored-secrets.ts';
import { assertSchedule, nextRunAfter } from '../../scheduling/schedule-clock.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { storageTargetsStore } from '../../stores/storage-targets.store.ts';
import { type TaskRow, tasksStore } from '../../stores/tasks.store.ts';

export type TaskInput = z.output<typeof taskInputSchema>;

export interface SaveTaskDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly engine: Pick<Engine, 'parseSettings' | 'manifests'>;
  readonly nodes: NodeDirectory;
  readonly box: { seal(text: string): string; open(text: string): string };
  /** Zone of tasks that name none. */
  readonly defaultTimezone: () => Promise<string>;
}

/** Field names of the source driver as the task's flat fields call them. */
const flatNames: Record<string, string> = { paths: 'sourcePaths', excludePatterns: 'excludePatterns' };

function renameField(problem: FieldProblem): FieldProblem {
  const [first = '', ...rest] = problem.path.replace(/^config\.?/, '').split('.');
  const name = flatNames[first] ?? (first === '' ? 'extraConfig' : `extraConfig.${first}`);
  return { ...problem, path: [name, ...rest].join('.') };
}

/** Settings of the source driver out of flat fields; a masked secret keeps the stored value while server and login stay. */
function sourceSettings(deps: SaveTaskDeps, input: TaskInput, stored: Record<string, unknown>) {
  const known = deps.engine.manifests.sources;
  const manifest = known.find((one) => one.type === input.type);
  if (!manifest) {
    const types = known.map((manifest) => manifest.type).join(', ');
    throw new AppError('SOURCE_TYPE_UNKNOWN', { type: input.type, known: types });
  }
  const config = withFlatDatabase(manifest, { config: input.extraConfig, flat: input, stored });
  const paths = input.sourcePaths.length > 0 ? input.sourcePaths : input.sourcePath ? [input.sourcePath] : [];
  if (paths.length > 0) config.paths = paths.map((path) => path.trim());
  if (input.excludePatterns.length > 0) config.excludePatterns = input.excludePatterns;
  try {
    return deps.engine.parseSettings('source', input.type, fillSecrets(manifest, { given: config, stored }));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'INVALID_INPUT') throw error;
    throw new AppError('INVALID_INPUT', error.params, { fields: error.fields.map(renameField), cause: error });
  }
}

/** The repository that was chosen; null: none, or an archive. Throws REPOSITORY_NOT_FOUND. */
async function chosenRepository(deps: SaveTaskDeps, input: TaskInput): Promise<RepositoryRow | null> {
  if (input.backupMode !== 'repository' || input.repositoryId === 0) return null;
  return await repositoriesStore.get(deps.db, input.repositoryId);
}

/** The target of a chosen repository comes first. Throws INVALID_INPUT for none, STORAGE_TARGET_NOT_FOUND. */
async function checkedTargets(deps: SaveTaskDeps, input: TaskInput): Promise<number[]> {
  const repository = await chosenRepository(deps, input);
  const first = repository ? [repository.storage_target_id] : [];
  const primary = input.storageTargetId ? [input.storageTargetId] : [];
  const ids = [...new Set([...first, ...(input.storageTargetIds.length > 0 ? input.storageTargetIds : primary)])];
  if (ids.length === 0) {
    const fields = [{ path: 'storageTargetIds', code: 'too_small', message: 'choose at least one storage target' }];
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  const found = await storageTargetsStore.findMany(deps.db, ids);
  if (found.length < ids.length) throw new AppError('STORAGE_TARGET_NOT_FOUND');
  return ids;
}

async function refuseTakenName(deps: SaveTaskDeps, name: string, ownId: number | null): Promise<void> {
  const id = await tasksStore.idByName(deps.db, name);
  if (id !== undefined && id !== ownId) throw new AppError('BACKUP_TASK_NAME_TAKEN', { name });
}

/** Throws INVALID_INPUT for a schedule that is missing or cannot be read. */
function verifyColumns(input: TaskInput, timezone: string, now: Date) {
  const schedule = { cronExpr: input.verifyCronExpr, timezone };
  const fail = (message: string) =>
    new AppError('INVALID_INPUT', {}, { fields: [{ path: 'verifyCronExpr', code: 'invalid', message }] });
  if (input.verifyEnabled && input.verifyCronExpr === '') throw fail('say when to verify');
  try {
    assertSchedule(schedule, now);
  } catch (error) {
    throw error instanceof AppError ? fail(error.fields[0]?.message ?? error.message) : error;
  }
  return {
    verify_enabled: input.verifyEnabled ? 1 : 0,
    verify_cron_expr: input.verifyCronExpr,
    verify_mode: input.verifyMode,
    next_verify_at: input.verifyEnabled ? (nextRunAfter(schedule, now)?.toISOString() ?? null) : null,
  } as const;
}

async function columnsOf(deps: SaveTaskDeps, input: TaskInput, current: TaskRow | null) {
  const now = deps.clock.now();
  const node = await deps.nodes.get(input.nodeId === 0 ? deps.nodes.localNodeId : input.nodeId);
  const schedule = { cronExpr: input.cronExpr, timezone: input.timezone || (await deps.defaultTimezone()) };
  assertSchedule(schedule, now);
  assertKnowsMode(node, input.backupMode);
  const repository = await chosenRepository(deps, input);
  if (repository) assertReachable(repository, node);
  const stored =
    current?.type === input.type ? (JSON.parse(deps.box.open(current.source_sealed)) as Record<string, unknown>) : {};
  const source = sourceSettings(deps, input, stored);
  return {
    name: input.name,
    type: input.type,
    enabled: input.enabled ? 1 : 0,
    cron_expr: input.cronExpr,
    timezone: input.timezone,
    node_id: node.id,
    source_sealed: deps.box.seal(JSON.stringify(source)),
    compression: input.compression,
    encrypt: input.encrypt ? 1 : 0,
    backup_mode: input.backupMode,
    repository_id: repository?.id ?? 0,
    tags: JSON.stringify([...new Set(input.tags)]),
    sla_hours_rpo: input.slaHoursRpo,
    retention_days: input.retentionDays,
    max_backups: input.maxBackups,
    keep_daily: input.keepDaily,
    keep_weekly: input.keepWeekly,
    keep_monthly: input.keepMonthly,
    keep_yearly: input.keepYearly,
    next_run_at: input.enabled ? (nextRunAfter(schedule, now)?.toISOString() ?? null) : null,
    ...verifyColumns(input, schedule.timezone, now),
    updated_at: now.toISOString(),
  } as const;
}

/** Throws INVALID_INPUT (fields), BACKUP_TASK_NAME_TAKEN, STORAGE_TARGET_NOT_FOUND, NODE_NOT_FOUND, SOURCE_TYPE_UNKNOWN,
 * REPOSITORY_NOT_FOUND, NOT_SUPPORTED (the agent, or a repository on another server's disk). */
export async function createTask(deps: SaveTaskDeps, input: TaskInput): Promise<number> {
  const targetIds = await checkedTargets(deps, input);
  await refuseTakenName(deps, input.name, null);
  const columns = await columnsOf(deps, input, null);
  return await deps.db.transaction().execute(async (trx) => {
    const row = { ...columns, created_at: columns.updated_at, last_slot_at: null, deleted_at: null };
    return await tasksStore.insert(trx, row, targetIds);
  });
}

/** The same, for a task that exists; a changed schedule starts counting now. */
export async function updateTask(deps: SaveTaskDeps, id: number, input: TaskInput): Promise<void> {
  const current = await tasksStore.get(deps.db, id);
  const targetIds = await checkedTargets(deps, input);
  await refuseTakenName(deps, input.name, id);
  const columns = await columnsOf(deps, input, current);
  await deps.db.transaction().execute(async (trx) => {
    if (!(await tasksStore.update(trx, id, columns))) throw new AppError('BACKUP_TASK_NOT_FOUND');
    await tasksStore.replaceTargets(trx, id, targetIds);
  });
}

/** `enabled` undefined turns the switch over. */
export async function toggleTask(deps: SaveTaskDeps, id: number, enabled: boolean | undefined): Promise<void> {
  const task = await tasksStore.get(deps.db, id);
  const isEnabled = enabled ?? task.enabled !== 1;
  const now = deps.clock.now();
  const schedule = { cronExpr: task.cron_expr, timezone: task.timezone || (await deps.defaultTimezone()) };
  // Switching on what is on must not skip a slot that is due.
  if (isEnabled && task.enabled === 1) return;
  await tasksStore.update(deps.db, id, {
    enabled: isEnabled ? 1 : 0,
    next_run_at: isEnabled ? (nextRunAfter(schedule, now)?.toISOString() ?? null) : null,
    updated_at: now.toISOString(),
  });
}
