/**
 * The routes agents call. Paths, envelope and fields are those of agents already in the field; what version 2 adds is
 * optional and answered only to those who sent its header.
 */
import { AGENT_PROTOCOL_VERSION, agentRoutes, agentTimings } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import { assertKnowsMode } from '../../dispatch/choose-node.ts';
import type { Fleet } from '../../dispatch/create-fleet.ts';
import type { Db, JobBuilder, RecordLifecycle, RecordReporter } from '../../dispatch/ports.ts';
import { type Actor, type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { recordsStore } from '../../stores/records.store.ts';
import { tasksStore } from '../../stores/tasks.store.ts';
import { createAgentRuns } from './agent-runs.ts';
import { toRestoreSpec, toTaskSpec } from './agent-specs.ts';
import { relayUpload } from './relay-upload.ts';
import { streamArtifact } from './stream-artifact.ts';
import { updateMaintenance } from './update-maintenance.ts';
import { type AgentCaller, type UpdateDeps, updateRecord } from './update-record.ts';
import { updateRestore } from './update-restore.ts';
import { verificationRoutesOf } from './update-verification.ts';

export interface AgentRoutesDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly jobs: JobBuilder;
  readonly records: RecordLifecycle;
  readonly reporter: RecordReporter;
  readonly engine: Pick<Engine, 'openStorage'>;
}

/** The binder lets only agents here; this tells the compiler. */
function callerOf(actor: Actor): AgentCaller {
  if (actor.kind !== 'agent') throw new AppError('NODE_INVALID_TOKEN');
  return actor;
}

function maintenanceRoutesOf(updates: UpdateDeps, jobs: JobBuilder): BoundRoute[] {
  const { runs, clock } = updates;
  return [
    bind(agentRoutes.maintenanceSpec, async ({ actor, params }) => {
      const { nodeId } = callerOf(actor);
      const record = await runs.maintenance(nodeId, params.id);
      if (!runs.renew(nodeId, 'maintenance', record.id, clock.now().getTime())) {
        throw new AppError('MAINTENANCE_RECORD_FORBIDDEN');
      }
      return { maintenanceRecordId: record.id, job: await jobs.maintenanceJob(record.id) };
    }),

    bind(agentRoutes.maintenanceUpdate, ({ actor, params, body }) =>
      updateMaintenance(updates, callerOf(actor), params.id, body),
    ),
  ];
}

export function agentRoutesOf(deps: AgentRoutesDeps): BoundRoute[] {
  const { db, clock, fleet, jobs, records, reporter, engine } = deps;
  const runs = createAgentRuns({ db, commands: fleet.commands });
  const updates = { db, clock, runs, records, reporter };
  const streams = { runs, jobs, engine, nowMs: () => clock.now().getTime() };

  return [
    bind(agentRoutes.heartbeat, async ({ actor, body }) => {
      const { nodeId, nodeName, protocol } = callerOf(actor);
      const beat = fleet.liveness.beat(nodeId, body, protocol);
      const cancelCommandIds = await fleet.commands.heartbeat(beat, body.activeCommandIds);
      const answer = { status: 'ok' as const, nodeId, name: nodeName };
      if (protocol < AGENT_PROTOCOL_VERSION) return answer;
      const { heartbeatMs, pollMs } = agentTimings;
      const serverTime = clock.now().toISOString();
      return { ...answer, protocol: AGENT_PROTOCOL_VERSION, serverTime, heartbeatMs, pollMs, cancelCommandIds };
    }),

    bind(agentRoutes.poll, async ({ actor, body, signal }) => {
      const { nodeId, protocol } = callerOf(actor);
      const isOurs = protocol >= AGENT_PROTOCOL_VERSION;
      const waitMs = isOurs ? (body?.waitMs ?? 0) : 0;
      const free = isOurs ? body?.free : undefined;
      return { command: await fleet.queue.poll({ nodeId, protocol, waitMs, free, signal }) };
    }),

    bind(agentRoutes.commandResult, async ({ actor, params, body }) => {
      await fleet.commands.complete(callerOf(actor).nodeId, params.id, body);
      return ok;
    }),

    bind(agentRoutes.taskSpec, async ({ actor, params }) => {
      const { nodeId, protocol } = callerOf(actor);
      const live = fleet.commands.liveTask(nodeId, params.id);
      if (!live?.run) {
        if (!(await tasksStore.find(db, params.id))) throw new AppError('BACKUP_TASK_NOT_FOUND');
        throw new AppError('BACKUP_TASK_FORBIDDEN');
      }
      const job = await jobs.backupJob(live.run.id);
      // One that ignores the repositories would write an archive among the snapshots.
      if (job.repositories) assertKnowsMode(await fleet.directory.get(nodeId), 'repository');
      const spec = toTaskSpec(job, protocol);
      live.started = true;
      live.activityMs = clock.now().getTime();
      live.targetIds = job.targets.map((target) => target.id);
      return spec;
    }),

    bind(agentRoutes.recordUpdate, ({ actor, params, body }) =>
      updateRecord(updates, callerOf(actor), params.id, body),
    ),

    bind(agentRoutes.relayUpload, ({ actor, params, request, signal }) =>
      relayUpload(streams, callerOf(actor), { recordId: params.id, targetId: params.targetId, request, signal }),
    ),

    bind(agentRoutes.restoreSpec, async ({ actor, params }) => {
      const { nodeId, protocol } = callerOf(actor);
      const restore = await runs.restore(nodeId, params.id);
      if (!runs.renew(nodeId, 'restore', restore.id, clock.now().getTime())) {
        throw new AppError('RESTORE_RECORD_FORBIDDEN');
      }
      const job = await jobs.restoreJob(restore.id);
      if (job.artifact.snapshot) assertKnowsMode(await fleet.directory.get(nodeId), 'repository');
      // A snapshot without a record of ours says nothing about compression, and nobody asks.
      const compression = (await recordsStore.find(db, job.recordId))?.compression ?? 'none';
      return toRestoreSpec(job, { taskId: restore.task_id, compression }, protocol);
    }),

    bind(agentRoutes.restoreArtifact, async ({ actor, params, reply, signal }) => {
      await streamArtifact(streams, callerOf(actor), { restoreId: params.id, reply, signal });
      return undefined;
    }),

    bind(agentRoutes.restoreUpdate, ({ actor, params, body }) =>
      updateRestore(updates, callerOf(actor), params.id, body),
    ),

    ...maintenanceRoutesOf(updates, jobs),
    ...verificationRoutesOf(updates, jobs, callerOf),

    bind(agentRoutes.self, ({ actor }) => {
      const { nodeId, nodeName } = callerOf(actor);
      const seen = fleet.liveness.get(nodeId);
      return {
        id: nodeId,
        name: nodeName,
        status: seen ? (fleet.liveness.isOnline(nodeId) ? 'online' : 'offline') : 'pending',
        hostname: seen?.hostname ?? '',
        lastSeen: seen ? new Date(seen.lastSeenMs).toISOString() : null,
      };
    }),
  ];
}
