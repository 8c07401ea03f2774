/**
 * A master without its outside, for tests: real SQLite in memory, real stores, dispatch, scheduler, follow-ups and
 * routes; an engine in memory that can be held, and a fleet of one remote node that only remembers what it was told.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Role } from '@backupx/contracts/api/auth';
import { type DriverManifest, toDriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import {
  type Job,
  type JobKind,
  type JobOf,
  type JobTarget,
  jobLanes,
  type RunBackupJob,
} from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import { systemClock } from '@backupx/engine/ports/clock';
import type { Engine, RunJobOptions } from '@backupx/engine/ports/engine';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { connectRecordEnds, connectRuns, type RecordEnds, type Runs } from './connect-records.ts';
import { openDatabase } from './database/open-database.ts';
import { silentLog } from './dispatch/dispatch-log.ts';
import type { CommandQueue, Db, NodeDirectory, NodeState } from './dispatch/ports.ts';
import { createEventBus, type EventBus } from './event-bus.ts';
import type { AuditRecord } from './http/audit-trail.ts';
import { bindRoutes } from './http/bind-routes.ts';
import { installEventStreams } from './http/event-stream.ts';
import { nodesStore } from './stores/nodes.store.ts';
import { createSecretBox, type SecretBox } from './stores/secret-box.ts';
import { storageTargetsStore } from './stores/storage-targets.store.ts';

/** A database, as drivers declare one. */
const server = {
  dbHost: z.string().default('localhost'),
  dbPort: z.number().int().default(5432),
  dbUser: z.string().default('backup'),
  dbPassword: z.string().default('').meta({ secret: true }),
};
const shopdb = {
  type: 'shopdb',
  title: 'Shop database',
  config: z.object({ ...server, databases: z.array(z.string()).default([]) }),
  restoreConfig: z.object({
    ...server,
    dbHost: z.string().default(''),
    rename: z.array(z.string().regex(/=/)).default([]),
    replaceExisting: z.boolean().default(false),
    endSessions: z.boolean().default(false),
    acceptOtherVersion: z.boolean().default(false),
  }),
  inspect: true,
  inspectTarget: true,
  targetSettings: true,
  verifiesOnServer: true,
};

const manifests: Engine['manifests'] = {
  sources: [
    { kind: 'source', type: 'file', title: 'Files', fields: [] } satisfies DriverManifest,
    toDriverManifest({ kind: 'source', ...shopdb }),
  ],
  storages: [{ kind: 'storage', type: 'local_disk', title: 'Local disk', fields: [] } satisfies DriverManifest],
};

export interface MemoryEngine extends Engine {
  /** Objects by `<target id>:<key>`. */
  readonly objects: Map<string, Uint8Array>;
  /** Jobs in the order they came. */
  readonly jobs: Job[];
  /** While set, backups and restores wait for it (or for their signal). */
  hold: Promise<void> | null;
  /** The next jobs fail with this. */
  failure: Error | null;
  /** What jobs on repositories answer, by kind. */
  readonly answers: Map<JobKind, unknown>;
}

const objectKey = (target: JobTarget, key: string) => `${target.id}:${key}`;

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function storeBackup(engine: MemoryEngine, job: RunBackupJob) {
  const body = Buffer.from(`${job.taskName} ${job.recordId}`);
  const fileName = `${job.baseName}.tar`;
  const storagePath = `${job.keyPrefix}/${fileName}`;
  for (const target of job.targets) {
    engine.objects.set(objectKey(target, storagePath), body);
    engine.objects.set(objectKey(target, `${storagePath}.contents`), Buffer.from('[]'));
  }
  return {
    status: 'success' as const,
    fileName,
    storagePath,
    contentsPath: `${storagePath}.contents`,
    fileSize: body.length,
    checksum: createHash('sha256').update(body).digest('hex'),
    sourceBytes: 3,
    itemCount: 1,
    targets: job.targets.map((target) => ({
      targetId: target.id,
      targetName: target.name,
      status: 'success' as const,
      storagePath,
      fileSize: body.length,
    })),
    problems: [],
    problemCount: 0,
  };
}

/** A snapshot file in each repository, each copy with a name of its own. */
function storeSnapshots(engine: MemoryEngine, job: RunBackupJob) {
  const targets = (job.repositories ?? []).map((repository) => {
    const id = createHash('sha256').update(`${repository.id} ${job.recordId}`).digest('hex');
    const storagePath = `${repository.prefix}/snapshots/${id}`;
    engine.objects.set(objectKey(repository.target, storagePath), Buffer.from(id));
    const { id: targetId, name: targetName, viaMaster } = repository.target;
    return { targetId, targetName, status: 'success' as const, viaMaster, storagePath, fileSize: 100 };
  });
  const storagePath = targets[0]?.storagePath ?? '';
  const snapshotId = storagePath.split('/').at(-1) ?? '';
  const counts = { filesNew: 1, filesChanged: 0, filesUnmodified: 0, blobsAdded: 1, bytesAdded: 3, bytesStored: 100 };
  return {
    status: 'success' as const,
    fileName: `snapshot ${snapshotId.slice(0, 8)}`,
    storagePath,
    contentsPath: '',
    fileSize: 100,
    checksum: snapshotId,
    sourceBytes: 3,
    itemCount: 1,
    targets,
    problems: [],
    problemCount: 0,
    snapshot: { snapshotId, parentId: null, ...counts },
  };
}

/** What the engine in memory does itself; everything else answers what a test told it to. */
const doers: { readonly [K in JobKind]?: (engine: MemoryEngine, job: JobOf<K>) => unknown } = {
  run_backup: (engine, job) => (job.repositories ? storeSnapshots(engine, job) : storeBackup(engine, job)),
  run_restore(engine, { artifact }) {
    if (!engine.objects.has(objectKey(artifact.target, artifact.storagePath))) {
      throw new AppError('STORAGE_NOT_FOUND', { key: artifact.storagePath });
    }
    return { status: 'success', itemsWritten: 1, bytesWritten: 3, itemsSkipped: 0, problems: [], problemCount: 0 };
  },
  delete_objects(engine, job) {
    for (const key of job.keys) engine.objects.delete(objectKey(job.target, key));
    return { deleted: job.keys.length };
  },
};

async function runJob(engine: MemoryEngine, job: Job, options: RunJobOptions): Promise<unknown> {
  engine.jobs.push(job);
  const isWork = jobLanes[job.kind] === 'work' && job.kind !== 'init_repository';
  if (isWork) options.reporter.log('info', `running ${job.kind}`);
  if (isWork && engine.hold) await Promise.race([engine.hold, aborted(options.signal)]);
  if (engine.failure) throw engine.failure;
  const doIt = doers[job.kind] as ((engine: MemoryEngine, job: Job) => unknown) | undefined;
  if (doIt) return doIt(engine, job);
  const answer = engine.answers.get(job.kind);
  if (answer === undefined) throw new AppError('NOT_SUPPORTED', { what: job.kind, hint: '' });
  return typeof answer === 'function' ? (answer as (job: Job) => unknown)(job) : answer;
}

const noEntries = { entries: [], total: 0, nextOffset: null };
const initAnswer = {
  repositoryId: 'a'.repeat(64),
  version: 2,
  chunkerPolynomial: '3da3358b4dc173',
  masterKey: Buffer.alloc(64, 7).toString('base64'),
  snapshotCount: 0,
};

function parseDatabase(schema: z.ZodObject, config: unknown): Record<string, unknown> {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, code, message }) => ({
    path: ['config', ...path].join('.'),
    code,
    message,
  }));
  throw new AppError('INVALID_INPUT', {}, { fields });
}

export function createMemoryEngine(): MemoryEngine {
  const engine: MemoryEngine = {
    objects: new Map(),
    jobs: [],
    hold: null,
    failure: null,
    answers: new Map<JobKind, unknown>([
      ['init_repository', initAnswer],
      ['browse_artifact', noEntries],
    ]),
    manifests,
    run: (job, options) => runJob(engine, job, options) as never,
    parseSettings(kind, type, config) {
      if (type === shopdb.type) return parseDatabase(kind === 'restore' ? shopdb.restoreConfig : shopdb.config, config);
      const settings = config as Record<string, unknown>;
      if (Array.isArray(settings.paths)) return { excludePatterns: [], ...settings };
      const fields = [{ path: 'config.paths', code: 'invalid_type', message: 'required' }];
      throw new AppError('INVALID_INPUT', {}, { fields });
    },
    async targetSettings({ config }, { options, databases }) {
      const { dbHost, dbPassword } = options;
      return { ...config, ...(dbHost ? { dbHost, dbPassword } : {}), databases: [...databases] };
    },
    openStorage() {
      throw new AppError('NOT_SUPPORTED', { what: 'storage', hint: '' });
    },
    decrypt: (body) => body,
    async *openSnapshotStream({ snapshotId, path, format }) {
      yield Buffer.from(`${snapshotId} ${path} ${format}`);
    },
    createEncryptionKey: async () => ({ identity: 'AGE-SECRET-KEY-1TEST', recipient: 'age1test' }),
    close: async () => undefined,
  };
  return engine;
}

export interface TestFleet {
  /** Commands queued for the remote node. */
  readonly commands: { type: string; recordId?: number; restoreRecordId?: number }[];
  readonly asked: { nodeId: number; job: Job }[];
  /** What the remote node answers, by kind. */
  readonly answers: Map<JobKind, unknown>;
  remote: NodeState;
  /** Answer of `cancelRun`: the command was pending and is ended. */
  endsPending: boolean;
}

function fakeFleet(localNodeId: number, remoteId: number) {
  const fleet: TestFleet = {
    commands: [],
    asked: [],
    answers: new Map(),
    endsPending: false,
    remote: {
      id: remoteId,
      name: 'web-1',
      isLocal: false,
      isOnline: true,
      protocol: 2,
      sourceTypes: ['file'],
      storageTypes: ['local_disk'],
      jobKinds: Object.keys(jobLanes),
      modes: ['full', 'repository'],
      hostname: 'web-1.example',
    },
  };
  const local = { ...fleet.remote, id: localNodeId, name: 'local', isLocal: true };
  const nodes: NodeDirectory = {
    localNodeId,
    async get(id) {
      if (id === localNodeId) return local;
      if (id === remoteId) return fleet.remote;
      throw new AppError('NODE_NOT_FOUND');
    },
  };
  const queue: CommandQueue = {
    async enqueueWork(_trx, command) {
      fleet.commands.push(command);
      return fleet.commands.length;
    },
    wake() {},
    async ask(nodeId, job) {
      fleet.asked.push({ nodeId, job });
      return (fleet.answers.get(job.kind) ?? { deleted: 1 }) as never;
    },
    cancelRun: async () => fleet.endsPending,
  };
  return { fleet, nodes, queue };
}

export interface TestRuns {
  readonly db: Db;
  readonly bus: EventBus;
  readonly box: SecretBox;
  readonly engine: MemoryEngine;
  readonly fleet: TestFleet;
  readonly ends: RecordEnds;
  readonly runs: Runs;
  readonly http: FastifyInstance;
  readonly localNodeId: number;
  readonly remoteNodeId: number;
  /** Role of whoever asks over HTTP. */
  role: Role;
  /** The audit trail. */
  readonly audits: AuditRecord[];
  /** Zone of the installation. */
  timezone: string;
  addTarget(name: string, config?: Record<string, unknown>, type?: string): Promise<number>;
  /** Calls a route; answers status and body. */
  call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<{ status: number; data: never }>;
  /** Polls a record until it has ended. */
  ended(recordId: number): Promise<{ status: string }>;
  close(): Promise<void>;
}

async function bindHttp(test: { role: Role; audits: AuditRecord[] }, runs: Runs): Promise<FastifyInstance> {
  const http = Fastify();
  installEventStreams(http);
  bindRoutes(http, runs.routes, {
    authenticate: async () => ({
      kind: 'user',
      userId: 1,
      username: 'ada',
      role: test.role,
      via: 'token',
      sessionId: null,
    }),
    recordAudit: async (entry) => void test.audits.push(entry),
    validateOutput: true,
  });
  await http.ready();
  return http;
}

/** Longer than any run here takes on a busy machine. */
const END_LIMIT_MS = 30_000;

/** Everything connected, nothing started: call `runs.start()` for the loops, or drive them by hand. */
export async function createTestRuns(options: { clock?: Clock; path?: string } = {}): Promise<TestRuns> {
  const clock = options.clock ?? systemClock;
  const { db, close } = await openDatabase({ path: options.path ?? ':memory:' });
  const now = () => clock.now().toISOString();
  const localNodeId = await nodesStore.ensureLocal(db, now());
  const known = await db.selectFrom('nodes').select('id').where('name', '=', 'web-1').executeTakeFirst();
  const remoteNodeId = known?.id ?? (await nodesStore.insert(db, 'web-1', now()));
  const { fleet, nodes, queue } = fakeFleet(localNodeId, remoteNodeId);
  const bus = createEventBus();
  const box = createSecretBox(options.path ? new Uint8Array(32) : randomBytes(32));
  const engine = createMemoryEngine();
  const base = { db, clock, bus, log: silentLog, localNodeId };
  const ends = connectRecordEnds(base);
  const runs = connectRuns({
    ...base,
    ends,
    engine,
    box,
    encryptionKey: async () => ({ identity: 'AGE-SECRET-KEY-1TEST', recipient: 'age1test' }),
    nodes,
    queue,
    nodeStates: async () =>
      new Map([
        [localNodeId, true],
        [remoteNodeId, fleet.remote.isOnline],
      ]),
    defaultTimezone: async () => test.timezone,
    plan: async () => ({ maintenanceWindow: '', timezone: 'UTC' }),
    maxConcurrent: 1,
    bandwidthBytesPerSecond: 0,
  });
  const audits: AuditRecord[] = [];
  const asking: { role: Role; audits: AuditRecord[] } = { role: 'admin', audits };
  const http = await bindHttp(asking, runs);
  const test: TestRuns = {
    audits,
    db,
    bus,
    box,
    engine,
    fleet,
    ends,
    runs,
    http,
    localNodeId,
    remoteNodeId,
    timezone: 'UTC',
    get role() {
      return asking.role;
    },
    set role(role) {
      asking.role = role;
    },
    async addTarget(name, config = { basePath: '/backup' }, type = 'local_disk') {
      const row = await storageTargetsStore.insert(db, {
        name,
        type,
        description: '',
        enabled: 1,
        starred: 0,
        config_sealed: storageTargetsStore.sealConfig(box, config),
        quota_bytes: 0,
        last_test_at: null,
        last_test_ok: null,
        last_test_message: null,
        created_at: now(),
        updated_at: now(),
      });
      return row.id;
    },
    async call(method, path, body) {
      const answer = await http.inject({ method, url: `/api${path}`, ...(body ? { payload: body } : {}) });
      const json = answer.json() as { data?: unknown };
      return { status: answer.statusCode, data: (json.data ?? json) as never };
    },
    async ended(recordId) {
      const deadline = performance.now() + END_LIMIT_MS;
      while (performance.now() < deadline) {
        const row = await db.selectFrom('records').selectAll().where('id', '=', recordId).executeTakeFirstOrThrow();
        if (row.status !== 'running') return row;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`record ${recordId} did not end`);
    },
    async close() {
      await http.close();
      await runs.stop(1000);
      await close();
    },
  };
  return test;
}

/** Body of a task on one target. */
export function taskBody(targetId: number, more: object = {}): object {
  return { name: 'documents', type: 'file', sourcePath: '/srv/docs', storageTargetIds: [targetId], ...more };
}
