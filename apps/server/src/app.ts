/**
 * The one place that constructs and connects things. Reads downwards: database and secrets → bus and metrics → how
 * records end → fleet → runs → routes → HTTP. `main.ts` starts it; tests build it with another engine and clock.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { ServerConfig } from './config/config-schema.ts';
import { loadSecretKey } from './config/load-secret-key.ts';
import { connectHttp } from './connect-http.ts';
import { connectMetrics } from './connect-metrics.ts';
import { connectRecordEnds, connectRuns, type RecordEnds, type Runs } from './connect-records.ts';
import { openDatabase } from './database/open-database.ts';
import { createFleet, type Fleet } from './dispatch/create-fleet.ts';
import type { Db } from './dispatch/ports.ts';
import { createEventBus, type EventBus } from './event-bus.ts';
import { apiKeyRoutesOf } from './features/api-keys/api-keys.routes.ts';
import { createFindApiKey } from './features/api-keys/find-api-key.ts';
import { auditRoutesOf, createRecordAudit } from './features/audit/audit.routes.ts';
import { authRoutesOf } from './features/auth/auth.routes.ts';
import { createFindSession } from './features/auth/find-session.ts';
import { driverRoutesOf } from './features/drivers/drivers.routes.ts';
import { healthRoutesOf } from './features/health/health.routes.ts';
import { agentRoutesOf } from './features/nodes/agent.routes.ts';
import { createAgentAuthentication } from './features/nodes/authenticate-agent.ts';
import { nodeRoutesOf } from './features/nodes/nodes.routes.ts';
import { recoveryKitRoutesOf } from './features/recovery-kit/recovery-kit.routes.ts';
import { createArrivalNote, createRepositoryDirectory } from './features/repositories/repository-directory.ts';
import type { GatewayDeps } from './features/repository-gateway/serve-gateway.ts';
import { settingsRoutesOf } from './features/settings/settings.routes.ts';
import { storageTargetRoutesOf } from './features/storage-targets/storage-targets.routes.ts';
import { systemRoutesOf } from './features/system/system.routes.ts';
import { userRoutesOf } from './features/users/users.routes.ts';
import { createAuthenticate } from './http/authenticate.ts';
import type { BoundRoute } from './http/route-context.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { checkSecretKey, hasSealedValues } from './stores/check-secret-key.ts';
import { createEncryptionKeysStore, type EncryptionKeysStore } from './stores/encryption-keys.store.ts';
import { nodesStore } from './stores/nodes.store.ts';
import { openTarget } from './stores/open-target.ts';
import { createSecretBox, type SecretBox } from './stores/secret-box.ts';
import { readSiteSettings } from './stores/site-settings.ts';

export interface AppOptions {
  readonly config: ServerConfig;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Folder of the built console; may be missing. */
  readonly consoleDir: string;
  /** Answers that break their contract become errors. */
  readonly validateOutput: boolean;
}

export interface App {
  readonly db: Db;
  /** Not listening yet. */
  readonly fastify: FastifyInstance;
  /** Repairs what the last life left, then starts scheduler, follow-ups and fleet. */
  start(): Promise<void>;
  /** In reverse, within 30 s; idempotent. The engine stays with its owner. */
  stop(): Promise<void>;
}

/** Requests that run may end by themselves for this long; downloads and uploads are then cut off. */
const HTTP_GRACE_MS = 5_000;
const RUNS_GRACE_MS = 15_000;

interface Parts extends AppOptions {
  readonly db: Db;
  readonly box: SecretBox;
  readonly encryptionKeys: EncryptionKeysStore;
  readonly bus: EventBus;
  readonly metrics: Metrics;
  readonly fleet: Fleet;
  readonly ends: RecordEnds;
  readonly runs: Runs;
  readonly isStopping: () => boolean;
}

async function openSecrets({ config, clock, engine }: AppOptions, db: Db) {
  const { encryptionKey, encryptionKeyFile } = config.security;
  const mayCreate = !(await hasSealedValues(db));
  const box = createSecretBox(loadSecretKey({ key: encryptionKey, keyFile: encryptionKeyFile, mayCreate }));
  await checkSecretKey(db, box, clock.now());
  const createKey = () => engine.createEncryptionKey();
  const encryptionKeys = await createEncryptionKeysStore({ db, box, createKey, now: () => clock.now() });
  return { box, encryptionKeys };
}

/** Everything a run passes through, on this machine and on others. */
async function connectWork(
  options: AppOptions,
  core: Pick<Parts, 'db' | 'box' | 'encryptionKeys' | 'bus' | 'metrics'>,
) {
  const { clock, engine, config, logger: log } = options;
  const { db, box, bus, metrics } = core;
  const localNodeId = await nodesStore.ensureLocal(db, clock.now().toISOString());
  const recordEnds = {
    db,
    clock,
    bus,
    log,
    localNodeId,
    onBackupEnded(end: { taskType: string; status: string; seconds: number; bytes: number }) {
      metrics.taskRuns.inc({ status: end.status, task_type: end.taskType });
      metrics.taskRunSeconds.observe({ task_type: end.taskType }, end.seconds);
      metrics.taskBytes.inc({ task_type: end.taskType }, end.bytes);
    },
    onRestoreEnded: (end: { status: string }) => metrics.restoreRuns.inc({ status: end.status }),
    onVerifyEnded: (end: { status: string }) => metrics.verifyRuns.inc({ status: end.status }),
  };
  const ends = connectRecordEnds(recordEnds);
  const fleet = createFleet({
    db,
    clock,
    events: bus,
    log,
    localNodeId,
    records: ends.lifecycle,
    orphanLeases: ends.orphanLeases,
  });
  const runs = connectRuns({
    ...recordEnds,
    ends,
    engine,
    box,
    encryptionKey: () => core.encryptionKeys.get(),
    nodes: fleet.directory,
    queue: fleet.queue,
    async nodeStates() {
      const { items } = await nodesStore.list(db, {}, { limit: null, offset: 0 });
      return new Map(items.map((row) => [row.id, row.is_local === 1 || fleet.liveness.isOnline(row.id)]));
    },
    defaultTimezone: async () => (await readSiteSettings(db)).timezone,
    plan: () => readSiteSettings(db),
    maxConcurrent: config.backup.maxConcurrent,
    bandwidthBytesPerSecond: config.backup.bandwidthBytesPerSecond,
  });
  connectMetrics({ db, clock, fleet, metrics });
  return { ends, fleet, runs };
}

function routesOf(parts: Parts): BoundRoute[] {
  const { db, clock, bus, fleet, runs, ends, config, version } = parts;
  return [
    ...authRoutesOf({ db, clock, sessionTtlMs: config.security.sessionTtlMs }),
    ...userRoutesOf(parts),
    ...apiKeyRoutesOf(parts),
    ...storageTargetRoutesOf(parts),
    ...driverRoutesOf(parts),
    ...settingsRoutesOf(parts),
    ...auditRoutesOf(parts),
    ...recoveryKitRoutesOf(parts),
    ...systemRoutesOf({ db, clock, bus, version, ...about(config) }),
    ...healthRoutesOf(parts),
    ...runs.routes,
    ...nodeRoutesOf({ db, clock, events: bus, fleet, askNode: runs.dispatcher.askNode }),
    ...agentRoutesOf({ ...parts, jobs: runs.builder, records: ends.lifecycle, reporter: ends.reporter }),
  ];
}

/** The restic REST server in front of the repositories the master reaches. */
function gatewayOf(parts: Parts): GatewayDeps {
  const { db, clock, bus, box, fleet, engine } = parts;
  return {
    directory: createRepositoryDirectory({ db, tokens: fleet.tokens, openTarget: (id) => openTarget(db, box, id) }),
    engine,
    recordAudit: createRecordAudit(parts),
    onStored: createArrivalNote({
      db,
      now: () => clock.now(),
      changed: (repositoryId) => bus.publish({ type: 'repository_changed', repositoryId }),
    }),
    clock,
  };
}

const about = (config: ServerConfig) => ({
  mode: 'master',
  databaseKind: 'sqlite',
  externalUrl: config.server.externalUrl,
  dataDir: config.dataDir,
});

async function closeHttp(fastify: FastifyInstance): Promise<void> {
  const closed = fastify.close();
  await Promise.race([closed, delay(HTTP_GRACE_MS, undefined, { ref: false })]);
  fastify.server.closeAllConnections();
  await closed;
}

async function connect(options: AppOptions, db: Db, close: () => Promise<void>): Promise<App> {
  const { clock, config } = options;
  let stopping: Promise<void> | undefined;
  const secrets = await openSecrets(options, db);
  const bus = createEventBus(clock.now().getTime());
  const metrics = createMetrics(options);
  const work = await connectWork(options, { db, bus, metrics, ...secrets });
  const { fleet, runs } = work;
  const parts: Parts = { ...options, ...secrets, ...work, db, bus, metrics, isStopping: () => stopping !== undefined };
  const fastify = await connectHttp({
    ...options,
    metrics,
    trustedProxies: config.server.trustedProxies,
    routes: routesOf(parts),
    gateway: gatewayOf(parts),
    recordAudit: createRecordAudit(parts),
    authenticate: createAuthenticate({
      findSession: createFindSession(parts),
      findApiKey: createFindApiKey(parts),
      authenticateAgent: createAgentAuthentication(fleet.tokens),
    }),
  });
  const stop = async () => {
    fleet.releasePolls();
    await closeHttp(fastify);
    await runs.stop(RUNS_GRACE_MS);
    await fleet.stop();
    await close();
  };
  return {
    db,
    fastify,
    async start() {
      await fleet.start();
      await runs.start();
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Opens the database and connects everything. Throws CONFIG_INVALID. */
export async function createApp(options: AppOptions): Promise<App> {
  const { db, close } = await openDatabase(options.config.database);
  try {
    return await connect(options, db, close);
  } catch (error) {
    await close();
    throw error;
  }
}
