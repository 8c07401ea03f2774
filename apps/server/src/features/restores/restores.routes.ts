/** Restore records: look, follow, cancel. They are started from the record they restore. */
import { restoreRoutes } from '@backupx/contracts/api/records';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import { MAX_LOG_CHARACTERS, restoreAnswer, restoreRowAnswer } from '../../dispatch/record-answer.ts';
import { type StreamLogDeps, streamLog } from '../../dispatch/stream-log.ts';
import { openEventStream } from '../../http/event-stream.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { recordPage, recordWindow } from '../../stores/page-of-records.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import { restoreRecordsStore } from '../../stores/restore-records.store.ts';

export interface RestoresFeatureDeps extends StreamLogDeps {
  readonly dispatcher: Pick<Dispatcher, 'cancelRestore'>;
}

export function restoresRoutes(deps: RestoresFeatureDeps): BoundRoute[] {
  const { db, clock } = deps;
  return [
    bind(restoreRoutes.list, async ({ query }) => {
      const window = recordWindow(query);
      const found = await restoreRecordsStore.list(db, query, window);
      const now = clock.now();
      return recordPage(found, window.limit, (row) => restoreRowAnswer(row, now));
    }),
    bind(restoreRoutes.get, async ({ params }) => {
      await deps.reporter.flush();
      const log = await recordLogsStore.readEnd(db, 'restore', params.id, MAX_LOG_CHARACTERS);
      return restoreAnswer(await restoreRecordsStore.view(db, params.id), log, clock.now());
    }),
    bind(restoreRoutes.logStream, async ({ params, request, reply }) => {
      await restoreRecordsStore.get(db, params.id);
      const offset = Number(request.headers['last-event-id'] ?? 0) || 0;
      const stream = openEventStream(reply);
      await streamLog(
        deps,
        { owner: 'restore', id: params.id },
        {
          offset,
          signal: stream.signal,
          send: (event, id) => stream.send({ id, data: event }),
        },
      );
      stream.close();
      return undefined;
    }),
    bind(restoreRoutes.cancel, async ({ params, audit }) => {
      const restore = await restoreRecordsStore.get(db, params.id);
      await deps.dispatcher.cancelRestore(params.id);
      audit({ target: restore.task_name, detail: `restore ${params.id}` });
      return { status: 'ok' } as const;
    }),
  ];
}
