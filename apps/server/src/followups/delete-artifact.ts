/** Removes a record whose time is over. The row goes only when its objects are gone; anything else is tried again. */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import type { FollowupDeps } from './followup.ts';

const payloadSchema = z.object({ recordId: z.number() });

export async function deleteArtifact(deps: FollowupDeps, payload: unknown): Promise<void> {
  const { recordId } = payloadSchema.parse(payload);
  try {
    await deps.dispatcher.removeRecord(recordId);
    deps.log.info({}, `retention removed record ${recordId}`);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // Already removed, or locked by somebody after it was queued: nothing is left to do.
    if (error.code === 'BACKUP_RECORD_NOT_FOUND' || error.code === 'BACKUP_RECORD_LOCKED') return;
    // The server is gone, and with it the disk: trying again cannot help. The record stays until a person removes it.
    if (error.code === 'NODE_NOT_FOUND') {
      deps.log.warn({ recordId }, 'the server that holds this artifact was removed; the record is kept');
      return;
    }
    throw error;
  }
}
