/** States of every kind of record. `running` covers waiting in a queue too (see `progress.phase`). */
import { z } from 'zod';

export const recordStatusSchema = z.enum(['running', 'success', 'warning', 'failed', 'cancelled', 'interrupted']);
export type RecordStatus = z.output<typeof recordStatusSchema>;

/** True for states that never change again, except `interrupted`, which a proven late success may repair. */
export function isFinalStatus(status: RecordStatus): boolean {
  return status !== 'running';
}

/** True when the record has an artifact that can be restored. */
export function isRestorable(status: RecordStatus): boolean {
  return status === 'success' || status === 'warning';
}
