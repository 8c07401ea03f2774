/**
 * A master with a real fleet, for tests: real SQLite, stores, dispatch, routes and HTTP on loopback; only the engine is
 * in memory. Agents (or what pretends to be one) talk to it over the network.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@backupx/engine/ports/clock';
import { systemClock } from '@backupx/engine/ports/clock';
import { createMemoryStorage } from '@backupx/engine/testing/memory-storage';
import cookie from '@fastify/cookie';
import Fastify, { type FastifyInstance } from 'fastify';
import { connectRecordEnds, connectRuns, type Runs } from './connect-records.ts';
import { createMemoryEngine } from './connect-test-runs.ts';
import { openDatabase } from './database/open-database.ts';
import { createFleet, type Fleet } from './dispatch/create-fleet.ts';
import type { DispatchLog } from './dispatch/dispatch-log.ts';
import type { Db } from './dispatch/ports.ts';
import { createEventBus, type EventBus } from './event-bus.ts';
import { agentRoutesOf } from './features/nodes/agent.routes.ts';
import { createAgentAuthentication } from './features/nodes/authenticate-agent.ts';
import { nodeRoutesOf } from './features/nodes/nodes.routes.ts';
import { createAuthenticate } from './http/authenticate.ts';
import { bindRoutes } from './http/bind-routes.ts';
import { installEventStreams } from './http/event-stream.ts';
import { nodesStore } from './stores/nodes.store.ts';
import { createSecretBox } from './stores/secret-box.ts';
import { storageTargetsStore } from './stores/storage-targets.store.ts';

export interface TestMaster {
  readonly url: string;
  readonly db: Db;
  readonly fleet: Fleet;
  readonly runs: Runs;
  readonly http: FastifyInstance;
  /** What the console is told. */
  readonly bus: EventBus;
  /** Objects of the master's storages by target path. */
  readonly storage: ReturnType<typeof createMemoryStorage>;
  /** Messages logged as warnings. */
  readonly warnings: string[];
  /** Console call as administrator. */
  call<T = Record<string, unknown>>(method: string, path: string, body?: object): Promise<{ status: number; data: T }>;
  addNode(name: string): Promise<{ id: number; token: string }>;
  addTarget(name: string, config: Record<string, unknown>): Promise<number>;
  addTask(nodeId: number, targetId: number, more?: object): Promise<number>;
  record(id: number): Promise<Record<string, unknown>>;
  /** Waits until `holds` answers something that is not null or false; throws after `ms`. */
  until<T>(holds: () => Promise<T | null | false>, ms?: number): Promise<T>;
  close(): Promise<void>;
}

interface TestMasterOptions {
  readonly clock?: Clock;
  /** Database file; in memory when missing. */
  readonly path?: string;
}

/** Database, fleet, runs and routes, listening. */
async function connectMaster(options: TestMasterOptions) {
  const clock = options.clock ?? systemClock;
  const { db, close } = await openDatabase({ path: options.path ?? ':memory:' });
  const localNodeId = await nodesStore.ensureLocal(db, clock.now().toISOString());
  const bus = createEventBus();
  const box = createSecretBox(options.path ? new Uint8Array(32) : randomBytes(32));
  const storage = createMemoryStorage();
  const engine = { ...createMemoryEngine(), openStorage: () => storage };
  const warnings: string[] = [];
  const log: DispatchLog = { info() {}, warn: (_fields, message) => void warnings.push(message), error: console.error };
  const base = { db, clock, bus, log, localNodeId };
  const ends = connectRecordEnds(base);
  const fleet = createFleet({ ...base, events: bus, records: ends.lifecycle, orphanLeases: ends.orphanLeases });
  const runs = connectRuns({
    ...base,
    ends,
    engine,
    box,
    encryptionKey: async () => ({ identity: 'AGE-SECRET-KEY-1TEST', recipient: 'age1test' }),
    nodes: fleet.directory,
    queue: fleet.queue,
    nodeStates: async () => new Map(),
    defaultTimezone: async () => 'UTC',
    plan: async () => ({ maintenanceWindow: '', timezone: 'UTC' }),
    maxConcurrent: 1,
    bandwidthBytesPerSecond: 0,
  });
  const http = Fastify({ forceCloseConnections: true });
  await http.register(cookie);
  installEventStreams(http);
  const { lifecycle: records, reporter } = ends;
  const routes = [
    ...runs.routes,
    ...nodeRoutesOf({ db, clock, events: bus, fleet, askNode: runs.dispatcher.askNode }),
    ...agentRoutesOf({ db, clock, fleet, jobs: runs.builder, records, reporter, engine }),
  ];
  bindRoutes(http, routes, {
    authenticate: createAuthenticate({
      findSession: async (token) =>
        token === 'console' ? { sessionId: 1, userId: 1, username: 'ada', role: 'admin', csrfToken: 'x' } : null,
      findApiKey: async () => null,
      authenticateAgent: createAgentAuthentication(fleet.tokens),
    }),
    recordAudit: async () => undefined,
    validateOutput: true,
  });
  await fleet.start();
  await http.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`;

  return { url, db, clock, box, fleet, runs, http, bus, storage, warnings, close };
}

export async function startTestMaster(options: TestMasterOptions = {}): Promise<TestMaster> {
  const { clock, box, close, ...parts } = await connectMaster(options);
  const { url, db, fleet, runs, http } = parts;
  const master: TestMaster = {
    ...parts,
    async call(method, path, body) {
      const answer = await fetch(`${url}/api${path}`, {
        method,
        headers: { authorization: 'Bearer console', ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const json = (await answer.json()) as { data?: unknown };
      return { status: answer.status, data: (json.data ?? json) as never };
    },
    async addNode(name) {
      const { data } = await master.call<{ id: number; token: string }>('POST', '/nodes', { name });
      return data;
    },
    async addTarget(name, config) {
      const now = clock.now().toISOString();
      const row = await storageTargetsStore.insert(db, {
        name,
        type: 'local_disk',
        description: '',
        enabled: 1,
        starred: 0,
        config_sealed: storageTargetsStore.sealConfig(box, config),
        quota_bytes: 0,
        last_test_at: null,
        last_test_ok: null,
        last_test_message: null,
        created_at: now,
        updated_at: now,
      });
      return row.id;
    },
    async addTask(nodeId, targetId, more = {}) {
      const body = { name: `task-${randomBytes(4).toString('hex')}`, type: 'file', sourcePath: '/srv', nodeId };
      const { status, data } = await master.call<{ id: number }>('POST', '/backup/tasks', {
        ...body,
        storageTargetIds: [targetId],
        compression: 'gzip',
        ...more,
      });
      if (status !== 200) throw new Error(`task was refused: ${JSON.stringify(data)}`);
      return data.id;
    },
    async record(id) {
      const { data } = await master.call('GET', `/backup/records/${id}`);
      return data;
    },
    async until(holds, ms = 10_000) {
      const deadline = performance.now() + ms;
      for (;;) {
        const value = await holds();
        if (value !== null && value !== false) return value;
        if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async close() {
      fleet.releasePolls();
      await http.close();
      await runs.stop(1000);
      await fleet.stop();
      await close();
    },
  };
  return master;
}
