/** Maintenance records: look, follow, cancel. They are started from their repository. */
import {
  type MaintenanceKind,
  type MaintenanceRecord,
  type MaintenanceResult,
  type MaintenanceRow as MaintenanceRowAnswer,
  maintenanceRoutes,
} from '@backupx/contracts/api/maintenance';
import { MAX_LOG_CHARACTERS, runColumns } from '../../dispatch/record-answer.ts';
import type { MaintenanceTrigger } from '../../dispatch/repositories/start-maintenance.ts';
import { streamLog } from '../../dispatch/stream-log.ts';
import { openEventStream } from '../../http/event-stream.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { type MaintenanceView, maintenanceRecordsStore } from '../../stores/maintenance-records.store.ts';
import { recordPage, recordWindow } from '../../stores/page-of-records.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import type { RepositoriesFeatureDeps } from './repositories-deps.ts';

function rowAnswer(row: MaintenanceView, now: Date): MaintenanceRowAnswer {
  return {
    ...runColumns(row, now),
    repositoryId: row.repository_id,
    repositoryName: row.repository_name,
    kind: row.kind as MaintenanceKind,
    trigger: row.trigger as MaintenanceTrigger,
    summary: row.summary,
    requestedBy: row.requested_by,
  };
}

/** One record with its log and result. Throws MAINTENANCE_RECORD_NOT_FOUND. */
export async function readMaintenance(deps: RepositoriesFeatureDeps, id: number): Promise<MaintenanceRecord> {
  await deps.reporter.flush();
  const row = await maintenanceRecordsStore.view(deps.db, id);
  return {
    ...rowAnswer(row, deps.clock.now()),
    logContent: await recordLogsStore.readEnd(deps.db, 'maintenance', id, MAX_LOG_CHARACTERS),
    result: row.result === '' ? null : (JSON.parse(row.result) as MaintenanceResult),
  };
}

export function maintenanceRoutesOf(deps: RepositoriesFeatureDeps): BoundRoute[] {
  const { db, clock } = deps;
  return [
    bind(maintenanceRoutes.list, async ({ query }) => {
      const window = recordWindow(query);
      const found = await maintenanceRecordsStore.list(db, query, window);
      const now = clock.now();
      return recordPage(found, window.limit, (row) => rowAnswer(row, now));
    }),
    bind(maintenanceRoutes.get, ({ params }) => readMaintenance(deps, params.id)),
    bind(maintenanceRoutes.logStream, async ({ params, request, reply }) => {
      await maintenanceRecordsStore.get(db, params.id);
      const offset = Number(request.headers['last-event-id'] ?? 0) || 0;
      const stream = openEventStream(reply);
      const run = { owner: 'maintenance', id: params.id } as const;
      const { signal } = stream;
      await streamLog(deps, run, { offset, signal, send: (event, id) => stream.send({ id, data: event }) });
      stream.close();
      return undefined;
    }),
    bind(maintenanceRoutes.cancel, async ({ params, audit }) => {
      const record = await maintenanceRecordsStore.get(db, params.id);
      await deps.dispatcher.cancelMaintenance(params.id);
      audit({ target: record.repository_name, detail: `${record.kind} ${params.id}` });
      return ok;
    }),
  ];
}
