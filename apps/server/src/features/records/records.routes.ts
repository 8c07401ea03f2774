/** Records of backups: look, follow, open, restore, lock, delete. */
import { roleAllows } from '@backupx/contracts/api/auth';
import { recordRoutes } from '@backupx/contracts/api/records';
import { AppError, toAppError } from '@backupx/contracts/errors';
import type { RecordStatus } from '@backupx/contracts/record-status';
import type { ArtifactJobBuilder } from '../../dispatch/build-job.ts';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import type { NodeDirectory } from '../../dispatch/ports.ts';
import { MAX_LOG_CHARACTERS, recordAnswer, recordRowAnswer, restoreAnswer } from '../../dispatch/record-answer.ts';
import { type StreamLogDeps, streamLog } from '../../dispatch/stream-log.ts';
import type { EventBus } from '../../event-bus.ts';
import { createAttemptLimiter } from '../../http/attempt-limiter.ts';
import { openEventStream } from '../../http/event-stream.ts';
import { type Actor, type BoundRoute, bind } from '../../http/route-context.ts';
import { recordPage, recordWindow } from '../../stores/page-of-records.ts';
import { recordLogsStore } from '../../stores/record-logs.store.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { restoreRecordsStore } from '../../stores/restore-records.store.ts';
import { type StreamArtifactDeps, streamArtifact } from './stream-artifact.ts';

export interface RecordsFeatureDeps extends StreamLogDeps, StreamArtifactDeps {
  readonly bus: EventBus;
  readonly nodes: NodeDirectory;
  readonly builder: ArtifactJobBuilder;
  readonly dispatcher: Dispatcher;
}

function nameOf(actor: Actor): string {
  return actor.kind === 'user' ? actor.username : actor.kind;
}

/** Opened bytes are everything the source held; the stored ones of an encrypted record are not. */
function assertMayDecrypt(actor: Actor): void {
  if (actor.kind === 'user' && roleAllows(actor.role, 'admin')) return;
  throw new AppError('AUTH_FORBIDDEN', { role: 'admin' });
}

/** A snapshot goes out opened, like a restore; so whoever may restore may have it. */
function assertMayOpen(actor: Actor): void {
  if (actor.kind === 'user' && roleAllows(actor.role, 'operator')) return;
  throw new AppError('AUTH_FORBIDDEN', { role: 'operator' });
}

/** Restores begin at their record. */
function restoreRoutesOf({ db, clock, dispatcher }: RecordsFeatureDeps): BoundRoute[] {
  const monotonicMs = () => clock.monotonicMs();
  const previews = createAttemptLimiter({ attempts: 30, windowMs: 60_000, monotonicMs });
  return [
    bind(recordRoutes.restore, async ({ params, body, actor, audit }) => {
      const id = await dispatcher.startRestore(params.id, body, nameOf(actor));
      const view = await restoreRecordsStore.view(db, id);
      audit({ target: view.task_name, detail: `restore ${id} to ${view.target_path || 'the original place'}` });
      return restoreAnswer(view, '', clock.now());
    }),
    bind(recordRoutes.previewRestore, async ({ params, body, actor }) => {
      // It logs in where the caller says: too slow for trying passwords.
      previews.take(actor.kind === 'user' ? String(actor.userId) : actor.kind);
      return await dispatcher.previewRestore(params.id, body);
    }),
  ];
}

export function recordsRoutes(deps: RecordsFeatureDeps): BoundRoute[] {
  const { db, clock, dispatcher, builder, nodes } = deps;

  async function answer(id: number) {
    await deps.reporter.flush();
    const log = await recordLogsStore.readEnd(db, 'record', id, MAX_LOG_CHARACTERS);
    return recordAnswer(await recordsStore.view(db, id), log, clock.now());
  }

  return [
    bind(recordRoutes.list, async ({ query }) => {
      const window = recordWindow(query);
      const now = clock.now();
      return recordPage(await recordsStore.list(db, query, window), window.limit, (row) => recordRowAnswer(row, now));
    }),
    bind(recordRoutes.get, ({ params }) => answer(params.id)),
    bind(recordRoutes.logStream, async ({ params, request, reply }) => {
      await recordsStore.get(db, params.id);
      const offset = Number(request.headers['last-event-id'] ?? 0) || 0;
      const stream = openEventStream(reply);
      await streamLog(
        deps,
        { owner: 'record', id: params.id },
        {
          offset,
          signal: stream.signal,
          send: (event, id) => stream.send({ id, data: event }),
        },
      );
      stream.close();
      return undefined;
    }),
    bind(recordRoutes.download, async ({ params, query, actor, audit, reply, signal }) => {
      if (query.decrypt) assertMayDecrypt(actor);
      await builder.withArtifact(params.id, nodes.localNodeId, async (artifact) => {
        if (artifact.snapshot) assertMayOpen(actor);
        const detail = artifact.snapshot ? 'snapshot as tar' : query.decrypt ? 'decrypted' : 'as stored';
        audit({ target: artifact.fileName, detail });
        await streamArtifact(deps, artifact, { reply, signal, decrypt: query.decrypt === true });
      });
      return undefined;
    }),
    bind(recordRoutes.contents, async ({ params, query }) => {
      const nodeId = await builder.nodeForArtifact(params.id);
      return await builder.withArtifact(params.id, nodeId, (artifact) =>
        dispatcher.askNode(nodeId, {
          kind: 'browse_artifact',
          artifact,
          path: query.path,
          search: query.q || null,
          offset: query.offset,
          limit: query.limit,
        }),
      );
    }),
    ...restoreRoutesOf(deps),
    bind(recordRoutes.cancel, async ({ params, audit }) => {
      await dispatcher.cancelRecord(params.id);
      audit({ target: String(params.id) });
      return { status: 'ok' } as const;
    }),
    bind(recordRoutes.lock, async ({ params, body, audit }) => {
      const record = await recordsStore.get(db, params.id);
      await recordsStore.update(db, params.id, { locked: body.locked ? 1 : 0 });
      audit({ target: `${record.task_name} ${params.id}`, detail: body.locked ? 'locked' : 'unlocked' });
      const status = record.status as RecordStatus;
      deps.bus.publish({ type: 'record_changed', recordId: params.id, taskId: record.task_id, status });
      return await answer(params.id);
    }),
    bind(recordRoutes.remove, async ({ params, audit }) => {
      const record = await recordsStore.get(db, params.id);
      audit({ target: `${record.task_name} ${params.id}`, detail: record.file_name });
      await dispatcher.removeRecord(params.id, { forgetLostObjects: true });
      return { status: 'ok' } as const;
    }),
    bind(recordRoutes.batchRemove, async ({ body, audit }) => {
      const deleted: number[] = [];
      const failed: { id: number; code: string; message: string }[] = [];
      for (const id of new Set(body.ids)) {
        try {
          await dispatcher.removeRecord(id, { forgetLostObjects: true });
          deleted.push(id);
        } catch (error) {
          const { code, message } = toAppError(error);
          failed.push({ id, code, message });
        }
      }
      audit({ target: deleted.join(', '), detail: `${deleted.length} deleted, ${failed.length} failed` });
      return { deleted, failed };
    }),
  ];
}
