import type { DeleteObjectsJob, DeleteObjectsResult } from '@backupx/contracts/jobs';
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { JobContext } from './job-context.ts';
import { openTarget } from './open-target.ts';

const PARALLEL_DELETES = 4;

/** Deletes objects; missing ones count as deleted. Tries all of them, then throws the first error there was. */
export async function deleteObjects(job: DeleteObjectsJob, context: JobContext): Promise<DeleteObjectsResult> {
  const storage = openTarget(context, { target: job.target });
  const keys = [...new Set(job.keys)];
  const errors: unknown[] = [];
  let next = 0;
  let deleted = 0;
  const work = async () => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) {
      throwIfCancelled(context.signal);
      try {
        await storage.delete(key, context.signal);
        deleted += 1;
      } catch (error) {
        errors.push(error);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL_DELETES }, work));
    if (errors.length > 0) throw errors[0];
    return { deleted };
  } finally {
    await storage.close?.().catch(() => {});
  }
}
