/** Gauges that are read from the database when somebody scrapes. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { Fleet } from './dispatch/create-fleet.ts';
import type { Db } from './dispatch/ports.ts';
import { collectStorageMetrics } from './features/storage-targets/collect-storage-metrics.ts';
import type { Metrics } from './metrics.ts';
import { commandsStore } from './stores/commands.store.ts';
import { nodesStore } from './stores/nodes.store.ts';

export interface MetricsDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly metrics: Metrics;
}

const HOUR_MS = 3_600_000;

async function collectNodes({ db, fleet, metrics }: MetricsDeps): Promise<void> {
  const { items } = await nodesStore.list(db, {}, { limit: null, offset: 0 });
  metrics.nodeOnline.reset();
  for (const row of items) {
    const isLocal = row.is_local === 1;
    const isOnline = isLocal || fleet.liveness.isOnline(row.id);
    metrics.nodeOnline.set({ node_name: row.name, role: isLocal ? 'master' : 'agent' }, isOnline ? 1 : 0);
  }
}

/** A counter made of a table that is cleaned up now and then: only growth counts. */
function createCommandCollector({ db, metrics }: MetricsDeps) {
  let known = 0;
  return async (): Promise<void> => {
    const counts = await commandsStore.countByState(db);
    metrics.commandQueueDepth.set(counts.get('pending') ?? 0);
    metrics.commandsRunning.set(counts.get('dispatched') ?? 0);
    const timeouts = counts.get('timeout') ?? 0;
    metrics.commandTimeouts.inc(Math.max(0, timeouts - known));
    known = timeouts;
  };
}

async function collectTasks({ db, clock, metrics }: MetricsDeps): Promise<void> {
  const running = await db
    .selectFrom('records')
    .select(({ fn }) => fn.countAll<number>().as('total'))
    .where('status', '=', 'running')
    .executeTakeFirst();
  metrics.tasksRunning.set(Number(running?.total ?? 0));
  const rows = await db
    .selectFrom('tasks')
    .select((eb) => [
      'tasks.sla_hours_rpo',
      'tasks.created_at',
      eb
        .selectFrom('records')
        .select(({ fn }) => fn.max('records.completed_at').as('at'))
        .whereRef('records.task_id', '=', 'tasks.id')
        .where('records.status', 'in', ['success', 'warning'])
        .as('last_good_at'),
    ])
    .where('tasks.deleted_at', 'is', null)
    .where('tasks.enabled', '=', 1)
    .where('tasks.sla_hours_rpo', '>', 0)
    .execute();
  const now = clock.now().getTime();
  const isLate = (row: (typeof rows)[number]) =>
    now - Date.parse(row.last_good_at ?? row.created_at) > row.sla_hours_rpo * HOUR_MS;
  metrics.slaBreaches.set(rows.filter(isLate).length);
}

export function connectMetrics(deps: MetricsDeps): void {
  const { db, metrics } = deps;
  metrics.onScrape(collectStorageMetrics(db, metrics));
  metrics.onScrape(() => collectNodes(deps));
  metrics.onScrape(createCommandCollector(deps));
  metrics.onScrape(() => collectTasks(deps));
}
