import { toAppError } from '@backupx/contracts/errors';
import { isLockLost } from '../lock-lost.ts';
import { inOrder } from './in-order.ts';
import { FILES_AT_ONCE, type MaintenanceWork } from './maintenance-work.ts';

/**
 * Removes packs that no index names. One that cannot be removed is only waste: it is logged, the next prune tries
 * again. Answers how many went. Throws REPOSITORY_LOCK_LOST.
 */
export async function removePacks(work: MaintenanceWork, ids: Iterable<string>): Promise<number> {
  const { repository, signal } = work;
  let removed = 0;
  const remove = async (id: string) => {
    signal.throwIfAborted();
    try {
      await repository.removeFile('data', id, signal);
      removed += 1;
      work.onItem?.(id);
    } catch (error) {
      signal.throwIfAborted();
      if (isLockLost(error)) throw error;
      work.log?.('warn', `Pack ${id} could not be removed: ${toAppError(error).message}`);
    }
  };
  function* tasks() {
    for (const id of ids) yield () => remove(id);
  }
  for await (const _ of inOrder(tasks(), FILES_AT_ONCE));
  return removed;
}
