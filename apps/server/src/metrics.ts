/** Prometheus metrics, under the names dashboards made for the predecessor know. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Fills gauges when somebody asks. */
export type Collector = () => Promise<void> | void;

export type Metrics = ReturnType<typeof createMetrics>;

/** Half a minute to twelve hours: what backups take. */
const DURATION_BUCKETS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21_600, 43_200];

function taskMetrics(registers: Registry[]) {
  return {
    /** `status`: success, warning, failed, cancelled, interrupted. */
    taskRuns: new Counter({
      name: 'backupx_task_run_total',
      help: 'Backups that ended',
      labelNames: ['status', 'task_type'],
      registers,
    }),
    taskRunSeconds: new Histogram({
      name: 'backupx_task_run_duration_seconds',
      help: 'Duration of backups',
      labelNames: ['task_type'],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    taskBytes: new Counter({
      name: 'backupx_task_bytes_total',
      help: 'Bytes stored by backups',
      labelNames: ['task_type'],
      registers,
    }),
    tasksRunning: new Gauge({ name: 'backupx_task_running', help: 'Backups that run now', registers }),
    slaBreaches: new Gauge({
      name: 'backupx_sla_breach_tasks',
      help: 'Tasks without a good backup in their time',
      registers,
    }),
    verifyRuns: new Counter({
      name: 'backupx_verify_run_total',
      help: 'Verifications that ended',
      labelNames: ['status'],
      registers,
    }),
    restoreRuns: new Counter({
      name: 'backupx_restore_run_total',
      help: 'Restores that ended',
      labelNames: ['status'],
      registers,
    }),
    replicationRuns: new Counter({
      name: 'backupx_replication_run_total',
      help: 'Copies to further targets that ended',
      labelNames: ['status'],
      registers,
    }),
  };
}

function fleetMetrics(registers: Registry[]) {
  return {
    storageUsedBytes: new Gauge({
      name: 'backupx_storage_used_bytes',
      help: 'Bytes of the artifacts in a storage target',
      labelNames: ['target_name', 'target_type'],
      registers,
    }),
    nodeOnline: new Gauge({
      name: 'backupx_node_online',
      help: '1 when the node is online',
      labelNames: ['node_name', 'role'],
      registers,
    }),
    commandQueueDepth: new Gauge({
      name: 'backupx_agent_command_queue_depth',
      help: 'Commands that wait for an agent',
      registers,
    }),
    commandsRunning: new Gauge({
      name: 'backupx_agent_command_running',
      help: 'Commands that agents work on',
      registers,
    }),
    commandTimeouts: new Counter({
      name: 'backupx_agent_command_timeout_total',
      help: 'Commands given up for lack of progress',
      registers,
    }),
  };
}

/** One registry per app, so that tests do not share counters. `onScrape` adds a collector of gauges. */
export function createMetrics({ version }: { readonly version: string }) {
  const registry = new Registry();
  const registers = [registry];
  const collectors: Collector[] = [];
  collectDefaultMetrics({ register: registry });
  const info = new Gauge({
    name: 'backupx_app_info',
    help: 'Version of this server',
    labelNames: ['version'],
    registers,
  });
  info.set({ version }, 1);
  return {
    ...taskMetrics(registers),
    ...fleetMetrics(registers),
    contentType: registry.contentType,
    onScrape(collector: Collector): void {
      collectors.push(collector);
    },
    /** The text format. A collector that fails costs its own gauges, not the whole answer. */
    async render(): Promise<string> {
      await Promise.allSettled(collectors.map(async (collect) => collect()));
      return await registry.metrics();
    },
  };
}
