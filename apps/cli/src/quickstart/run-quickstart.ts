/**
 * `backupx quickstart <folder>`: from nothing to a real, encrypted backup in one command, by the same HTTP API every
 * client uses. Run again it reuses what exists and makes one more backup. It leaves nothing that the console could
 * not have made.
 */
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type BackupRecord, recordRoutes } from '@backupx/contracts/api/records';
import { type Task, taskRoutes } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import type { ApiClient } from '../api/api-client.ts';
import { followBackup } from '../api/follow-run.ts';
import { buildConsole } from '../build-console.ts';
import type { CommandContext } from '../command-context.ts';
import { formatRelative, printable } from '../output/format.ts';
import { createProgressLine } from '../output/progress-line.ts';
import { exitCodeOfRun } from '../output/report-error.ts';
import { startMaster } from '../start-master.ts';
import { endSoon, untilStopSignal } from '../stop-signal.ts';
import { describeBackup, reportEnd } from '../wait-for-run.ts';
import { openLocalAccess } from './open-local-access.ts';
import { prepareTask } from './prepare-task.ts';

export interface QuickstartOptions {
  readonly folder: string;
  readonly host?: string;
  readonly port?: number;
  readonly dataDir: string;
  /** End after the backup instead of serving. */
  readonly once: boolean;
}

/** Answers the exit code: that of the backup with `once`, otherwise 0 after Ctrl-C. */
export async function runQuickstart(context: CommandContext, options: QuickstartOptions): Promise<number> {
  const { terminal } = context;
  const folder = checkFolder(options.folder);
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(resolve(options.dataDir));
  await buildConsole(terminal);
  const server = await startMaster({
    host: options.host,
    port: options.port,
    dataDir,
    // Its log would tear the progress line apart.
    logFile: join(dataDir, 'server.log'),
    handleSignals: false,
  });
  const stopping = new AbortController();
  const stopped = untilStopSignal().then(() => stopping.abort());
  try {
    terminal.say(`BackupX is running at ${server.url} (data in ${dataDir}).`);
    const client = await openLocalAccess(server, terminal);
    const { task, target, isNew } = await prepareTask(client, folder, dataDir);
    const verb = isNew ? 'Created' : 'Using';
    terminal.say(
      `${verb} task "${printable(task.name)}": ${printable(folder)} to ${printable(target.name)}, ${schedule(task)}.`,
    );
    const record = await backUp(context, client, task, stopping.signal);
    const code = exitCodeOfRun(record);
    reportEnd(context, record, describeBackup(record));
    if (code === 0 || code === 3)
      explain(context, { record, url: server.url, basePath: String(target.config.basePath) });
    if (options.once) return code;
    terminal.say(
      `\nConsole: ${server.url}\nServing until Ctrl-C; next backup ${formatRelative(task.nextRunAt, context.now())}.`,
    );
    await stopped;
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    throw error;
  } finally {
    if (stopping.signal.aborted) terminal.say('\nStopping…');
    await server.stop();
    endSoon();
  }
}

function checkFolder(folder: string): string {
  const path = resolve(folder);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new AppError('SOURCE_NOT_FOUND', { path, node: hostname() });
  return realpathSync(path);
}

function schedule(task: Task): string {
  if (!task.enabled || task.cronExpr === '') return 'by hand';
  const when = task.cronExpr === '0 2 * * *' ? 'every day at 02:00' : task.cronExpr;
  return `${when} ${task.timezone}, ${task.encrypt ? 'encrypted' : 'not encrypted'}`;
}

/** Runs the task, or joins the run that is going on already. */
async function backUp(
  context: CommandContext,
  client: ApiClient,
  task: Task,
  signal: AbortSignal,
): Promise<BackupRecord> {
  const line = createProgressLine(printable(task.name), context.terminal, context.monotonicMs);
  const id = await startOrJoin(client, task);
  try {
    return await followBackup(client, id, { onProgress: (progress) => line.show(progress), signal, everyMs: 500 });
  } finally {
    line.clear();
  }
}

async function startOrJoin(client: ApiClient, task: Task): Promise<number> {
  try {
    return (await client.call(taskRoutes.run, { params: { id: task.id } })).id;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BACKUP_TASK_RUNNING') throw error;
    const { items } = await client.call(recordRoutes.list, { query: { taskId: task.id, status: 'running' } });
    const running = items[0];
    if (!running) throw error;
    return running.id;
  }
}

function explain(context: CommandContext, done: { record: BackupRecord; url: string; basePath: string }): void {
  const { terminal } = context;
  const { record, url, basePath } = done;
  terminal.say(`\nStored in  ${printable(join(basePath, record.storagePath))}`);
  terminal.say(`Restore    in the console: ${url}/restore/${record.taskId}/${record.id}`);
  terminal.say(
    `           or: npx backupx login ${url} && npx backupx restore ${record.id} --target /tmp/restored --wait`,
  );
  if (!record.encrypted) return;
  terminal.say('The backup is encrypted. Download the recovery kit in the console and keep it somewhere else:');
  terminal.say('           without it, nobody can open the backups once this machine is gone.');
}
