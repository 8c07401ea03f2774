/**
 * Durable work after the end of a record, by name. Dispatch queues names in the transaction that ends the record and
 * never imports what is here; a test holds both lists together.
 */
import type { QueuedFollowup } from '../dispatch/record-lifecycle.ts';
import { applyRetention } from './apply-retention.ts';
import { continueRestore } from './continue-restore.ts';
import { deleteArtifact } from './delete-artifact.ts';
import type { Followup } from './followup.ts';

export const followups: Readonly<Record<QueuedFollowup, Followup>> = {
  apply_retention: applyRetention,
  continue_restore: continueRestore,
  delete_artifact: deleteArtifact,
};
