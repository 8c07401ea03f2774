/** Follow-up of the backup of what a restore replaces: the restore begins, or ends without having touched anything. */
import { z } from 'zod';
import type { FollowupDeps } from './followup.ts';

const payloadSchema = z.object({ recordId: z.number() });

export async function continueRestore({ dispatcher }: FollowupDeps, payload: unknown): Promise<void> {
  await dispatcher.continueRestore(payloadSchema.parse(payload).recordId);
}
