/** Bytes per storage target, for the metrics. */
import type { Db } from '../../dispatch/ports.ts';
import type { Collector, Metrics } from '../../metrics.ts';
import { storageTargetsStore, useOf } from '../../stores/storage-targets.store.ts';

export function collectStorageMetrics(db: Db, metrics: Metrics): Collector {
  return async () => {
    const { rows } = await storageTargetsStore.list(db, {});
    const uses = await storageTargetsStore.use(db);
    // Renamed and deleted targets must not stay on the graph.
    metrics.storageUsedBytes.reset();
    for (const row of rows) {
      metrics.storageUsedBytes.set({ target_name: row.name, target_type: row.type }, useOf(uses, row.id).storedBytes);
    }
  };
}
