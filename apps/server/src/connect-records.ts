/**
 * Constructs and connects everything a run passes through: reporter, life cycle, job builder, local node, dispatcher,
 * scheduler, follow-ups, and the routes over them. Two steps, because the fleet stands between: commands end records
 * (`RunEnds`), and the dispatcher sends commands (`connectRuns`).
 */
import { type Clock, waitAtMost } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import { askEngine } from './dispatch/ask-engine.ts';
import { type ArtifactJobBuilder, createJobBuilder } from './dispatch/build-job.ts';
import type { DispatchLog } from './dispatch/dispatch-log.ts';
import { createDispatcher, type Dispatcher } from './dispatch/dispatcher.ts';
import { createLocalNode, type LocalNode } from './dispatch/local-node.ts';
import type { AskNode, CommandQueue, Db, NodeDirectory, RecordLifecycle } from './dispatch/ports.ts';
import { createRecordLifecycle, type RecordLifecycleDeps } from './dispatch/record-lifecycle.ts';
import { createRecordReporter, type LiveRecordReporter } from './dispatch/record-reporter.ts';
import { createOrphanLeases, type OrphanLeases } from './dispatch/repositories/orphan-leases.ts';
import { createRepositoryDoor, type RepositoryDoor } from './dispatch/repositories/repository-door.ts';
import type { EventBus } from './event-bus.ts';
import { dashboardRoutesOf } from './features/dashboard/dashboard.routes.ts';
import { recordsRoutes } from './features/records/records.routes.ts';
import { repositoryActionsRoutes } from './features/repositories/actions.routes.ts';
import { maintenanceRoutesOf } from './features/repositories/maintenance.routes.ts';
import { repositoriesRoutes } from './features/repositories/repositories.routes.ts';
import type { RepositoriesFeatureDeps } from './features/repositories/repositories-deps.ts';
import { repositorySnapshotsRoutes } from './features/repositories/snapshots.routes.ts';
import { restoresRoutes } from './features/restores/restores.routes.ts';
import { sourcesRoutes } from './features/sources/sources.routes.ts';
import { tasksRoutes } from './features/tasks/tasks.routes.ts';
import { verificationsRoutes } from './features/verifications/verifications.routes.ts';
import { createFollowupWorker, type FollowupWorker } from './followups/worker.ts';
import type { BoundRoute } from './http/route-context.ts';
import { createDueMaintenance, type DueMaintenance, type DueMaintenanceDeps } from './scheduling/due-maintenance.ts';
import { createDueTasks, type DueTasks } from './scheduling/due-tasks.ts';
import { createDueVerifications, type DueVerifications } from './scheduling/due-verifications.ts';
import { openTarget } from './stores/open-target.ts';
import type { SecretBox } from './stores/secret-box.ts';

export interface RecordEndsDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly log: DispatchLog;
  readonly localNodeId: number;
  readonly onBackupEnded?: RecordLifecycleDeps['onBackupEnded'];
  readonly onRestoreEnded?: RecordLifecycleDeps['onRestoreEnded'];
  readonly onVerifyEnded?: RecordLifecycleDeps['onVerifyEnded'];
}

export interface RecordEnds {
  readonly reporter: LiveRecordReporter;
  readonly lifecycle: RecordLifecycle;
  readonly orphanLeases: OrphanLeases;
  /** Set by the second step; ends before it wait in the table. */
  onFollowups(wake: () => void): void;
}

/** First step: how records end and where their logs go. Needs nothing of the fleet. */
export function connectRecordEnds(deps: RecordEndsDeps): RecordEnds {
  let wake: () => void = () => undefined;
  const { db, clock, bus, log } = deps;
  const onWriteError = (error: unknown) => log.error({ err: error }, 'log and progress could not be written');
  const reporter = createRecordReporter({ db, clock, bus, onWriteError });
  const orphanLeases = createOrphanLeases({ db, clock });
  const lifecycle = createRecordLifecycle({
    db,
    clock,
    bus,
    reporter,
    localNodeId: () => deps.localNodeId,
    wakeFollowups: () => wake(),
    onLeasesLeft: (nodeId) => orphanLeases.left(nodeId),
    ...(deps.onBackupEnded ? { onBackupEnded: deps.onBackupEnded } : {}),
    ...(deps.onRestoreEnded ? { onRestoreEnded: deps.onRestoreEnded } : {}),
    ...(deps.onVerifyEnded ? { onVerifyEnded: deps.onVerifyEnded } : {}),
  });
  return {
    reporter,
    lifecycle,
    orphanLeases,
    onFollowups(next) {
      wake = next;
    },
  };
}

export interface RunsDeps extends RecordEndsDeps {
  readonly ends: RecordEnds;
  readonly engine: Engine;
  readonly box: SecretBox;
  readonly encryptionKey: () => Promise<{ identity: string; recipient: string }>;
  readonly nodes: NodeDirectory;
  readonly queue: CommandQueue;
  /** Ids of all nodes and whether each is online now. */
  readonly nodeStates: () => Promise<ReadonlyMap<number, boolean>>;
  /** Zone of tasks that name none. */
  readonly defaultTimezone: () => Promise<string>;
  /** When scheduled maintenance may start. */
  readonly plan: DueMaintenanceDeps['plan'];
  /** Backups and restores the master's own machine runs at once. */
  readonly maxConcurrent: number;
  /** Limit of one run's uploads; 0: none. */
  readonly bandwidthBytesPerSecond: number;
}

export interface Runs {
  readonly dispatcher: Dispatcher;
  readonly builder: ArtifactJobBuilder;
  readonly localNode: LocalNode;
  readonly door: RepositoryDoor;
  readonly dueTasks: DueTasks;
  readonly dueMaintenance: DueMaintenance;
  readonly dueVerifications: DueVerifications;
  readonly followups: FollowupWorker;
  readonly routes: readonly BoundRoute[];
  /** Ends what the last life left running, then starts the scheduler and the follow-ups. */
  start(): Promise<void>;
  /** Starts nothing new, interrupts local runs, writes what is buffered. */
  stop(graceMs: number): Promise<void>;
}

interface RouteParts {
  readonly dispatcher: Dispatcher;
  readonly builder: ArtifactJobBuilder;
  readonly repositories: RepositoriesFeatureDeps;
}

function routesOf(deps: RunsDeps, parts: RouteParts): BoundRoute[] {
  const { db, clock, bus, engine, nodes, box, nodeStates, defaultTimezone } = deps;
  const { reporter } = deps.ends;
  const answers = {
    db,
    clock,
    open: (sealed: string) => box.open(sealed),
    sourceManifests: engine.manifests.sources,
    localNodeId: () => deps.localNodeId,
    defaultTimezone,
  };
  return [
    ...tasksRoutes({ ...answers, bus, engine, nodes, box, dispatcher: parts.dispatcher }),
    ...sourcesRoutes({ ...answers, engine, box, dispatcher: parts.dispatcher }),
    ...recordsRoutes({ db, clock, bus, reporter, engine, nodes, dispatcher: parts.dispatcher, builder: parts.builder }),
    ...repositoriesRoutes(parts.repositories),
    ...repositorySnapshotsRoutes(parts.repositories),
    ...repositoryActionsRoutes(parts.repositories),
    ...maintenanceRoutesOf(parts.repositories),
    ...restoresRoutes({ db, clock, reporter, dispatcher: parts.dispatcher }),
    ...verificationsRoutes({ db, clock, reporter, dispatcher: parts.dispatcher }),
    ...dashboardRoutesOf({ ...answers, nodeStates }),
  ];
}

/** Second step: everything that starts runs, and the routes. */
export function connectRuns(deps: RunsDeps): Runs {
  const { db, clock, bus, log, engine, nodes, queue, ends } = deps;
  const { lifecycle, reporter } = ends;
  const secrets = {
    open: (sealed: string) => deps.box.open(sealed),
    seal: (text: string) => deps.box.seal(text),
    openTarget: (id: number) => openTarget(db, deps.box, id),
  };
  const ask: AskNode = async (nodeId, job, timeoutMs) =>
    nodeId === nodes.localNodeId ? await askEngine(engine, job, timeoutMs) : await queue.ask(nodeId, job, timeoutMs);
  const door = createRepositoryDoor({ db, clock, nodes, ask, ...secrets });
  const builder = createJobBuilder({
    db,
    clock,
    nodes,
    door,
    sourceManifests: engine.manifests.sources,
    ...secrets,
    bandwidthBytesPerSecond: deps.bandwidthBytesPerSecond,
    encryptionKeys: {
      recipients: async () => [(await deps.encryptionKey()).recipient],
      identities: async () => [(await deps.encryptionKey()).identity],
    },
  });
  const localNode = createLocalNode({
    engine,
    builder,
    lifecycle,
    reporter,
    clock,
    maxConcurrent: deps.maxConcurrent,
    onLateEnd: (run, error) =>
      log.error({ err: error, ...run }, 'the end of a run cannot be written; it is tried again every half minute'),
  });
  const dispatcher = createDispatcher({
    engine,
    db,
    clock,
    bus,
    nodes,
    queue,
    localNode,
    builder,
    lifecycle,
    ...secrets,
  });
  const dueTasks = createDueTasks({ db, clock, dispatcher, defaultTimezone: deps.defaultTimezone, log });
  const { plan } = deps;
  const dueMaintenance = createDueMaintenance({ db, clock, dispatcher, plan, log });
  const { defaultTimezone } = deps;
  const dueVerifications = createDueVerifications({ db, clock, dispatcher, defaultTimezone, log });
  const followups = createFollowupWorker({ db, clock, dispatcher, log });
  ends.onFollowups(() => followups.wake());
  return {
    dispatcher,
    builder,
    localNode,
    door,
    dueTasks,
    dueMaintenance,
    dueVerifications,
    followups,
    routes: routesOf(deps, {
      dispatcher,
      builder,
      repositories: { db, clock, bus, nodes, door, ask, dispatcher, reporter, engine, ...secrets },
    }),
    async start() {
      const count = await lifecycle.interruptLocalRuns();
      if (count > 0) log.warn({ count }, 'runs of the last life were interrupted');
      await followups.start();
      dueTasks.start();
      dueMaintenance.start();
      dueVerifications.start();
    },
    async stop(graceMs) {
      await dueTasks.stop();
      await dueMaintenance.stop();
      await dueVerifications.stop();
      await localNode.stop(graceMs);
      await waitAtMost(clock, followups.stop(), graceMs);
      await reporter.flush();
    },
  };
}
