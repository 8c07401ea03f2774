/** Verifications: start, look, follow, cancel. */
import {
  type VerifyRecord,
  type VerifyRow,
  type verifyInputSchema,
  verifyRoutes,
} from '@backupx/contracts/api/verifications';
import { AppError } from '@backupx/contracts/errors';
import type { VerifyCheck, VerifyMode } from '@backupx/contracts/jobs';
import type { z } from 'zod';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import { MAX_LOG_CHARACTERS, runColumns } from '../../dispatch/record-answer.ts';
import { type StreamLogDeps, streamLog } from '../../dispatch/stream-log.ts';
import { openEventStream } from '../../http/event-stream.ts';
import { type Actor, type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { recordPage, recordWindow } from '../../stores/page-of-records.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { tasksStore } from '../../stores/tasks.store.ts';
import { type VerifyRecordView, verifyRecordsStore } from '../../stores/verify-records.store.ts';

export interface VerificationsFeatureDeps extends StreamLogDeps {
  readonly dispatcher: Pick<Dispatcher, 'startVerification' | 'cancelVerification'>;
}

function rowAnswer(row: VerifyRecordView, now: Date): VerifyRow {
  return {
    ...runColumns(row, now),
    recordId: row.record_id,
    taskId: row.task_id,
    taskName: row.task_name,
    mode: row.mode as VerifyMode,
    trigger: row.trigger as VerifyRow['trigger'],
    summary: row.summary,
    itemCount: row.item_count,
    sourceBytes: row.source_bytes,
    storedBytes: row.stored_bytes,
    requestedBy: row.requested_by,
  };
}

async function answer(deps: VerificationsFeatureDeps, id: number): Promise<VerifyRecord> {
  await deps.reporter.flush();
  const row = await verifyRecordsStore.view(deps.db, id);
  return {
    ...rowAnswer(row, deps.clock.now()),
    options: JSON.parse(row.options) as Record<string, unknown>,
    checks: JSON.parse(row.checks) as VerifyCheck[],
    logContent: await recordLogsStore.readEnd(deps.db, 'verify', id, MAX_LOG_CHARACTERS),
  };
}

type VerifyInput = z.output<typeof verifyInputSchema>;

const nameOf = (actor: Actor): string => (actor.kind === 'user' ? actor.username : actor.kind);

function startRoutes(deps: VerificationsFeatureDeps): BoundRoute[] {
  const { db, dispatcher } = deps;
  const start = async (recordId: number, { mode, options }: VerifyInput, actor: Actor) =>
    await dispatcher.startVerification({ recordId, mode, options, trigger: 'manual', requestedBy: nameOf(actor) });
  return [
    bind(verifyRoutes.startForRecord, async ({ params, body, actor, audit }) => {
      const record = await recordsStore.get(db, params.id);
      const id = await start(record.id, body, actor);
      audit({ target: `${record.task_name} ${record.id}`, detail: `${body.mode} verification ${id}` });
      return await answer(deps, id);
    }),
    bind(verifyRoutes.startForTask, async ({ params, body, actor, audit }) => {
      const task = await tasksStore.get(db, params.id);
      const newest = (await recordsStore.lastRuns(db, [task.id])).good.get(task.id);
      if (!newest) throw new AppError('BACKUP_RECORD_NO_ARTIFACT');
      const id = await start(newest.id, body, actor);
      audit({ target: task.name, detail: `${body.mode} verification ${id} of record ${newest.id}` });
      return await answer(deps, id);
    }),
  ];
}

export function verificationsRoutes(deps: VerificationsFeatureDeps): BoundRoute[] {
  const { db, clock } = deps;
  return [
    ...startRoutes(deps),
    bind(verifyRoutes.list, async ({ query }) => {
      const window = recordWindow(query);
      const found = await verifyRecordsStore.list(db, query, window);
      const now = clock.now();
      return recordPage(found, window.limit, (row) => rowAnswer(row, now));
    }),
    bind(verifyRoutes.get, ({ params }) => answer(deps, params.id)),
    bind(verifyRoutes.logStream, async ({ params, request, reply }) => {
      await verifyRecordsStore.get(db, params.id);
      const offset = Number(request.headers['last-event-id'] ?? 0) || 0;
      const stream = openEventStream(reply);
      const { signal } = stream;
      const run = { owner: 'verify', id: params.id } as const;
      await streamLog(deps, run, { offset, signal, send: (event, id) => stream.send({ id, data: event }) });
      stream.close();
      return undefined;
    }),
    bind(verifyRoutes.cancel, async ({ params, audit }) => {
      const row = await verifyRecordsStore.get(db, params.id);
      await deps.dispatcher.cancelVerification(params.id);
      audit({ target: row.task_name, detail: `verification ${params.id}` });
      return ok;
    }),
  ];
}
