/** The store of each kind of run, for what all of them have in common. */
import { maintenanceRecordsStore } from './maintenance-records.store.ts';
import { recordsStore } from './records.store.ts';
import { restoreRecordsStore } from './restore-records.store.ts';
import { verifyRecordsStore } from './verify-records.store.ts';

export const runStores = {
  record: recordsStore,
  restore: restoreRecordsStore,
  maintenance: maintenanceRecordsStore,
  verify: verifyRecordsStore,
} as const;
