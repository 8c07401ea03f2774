/** For tests of crashes: a storage that works up to a certain call and then never again. */
import { AppError } from '@backupx/contracts/errors';
import type { Storage } from '../../ports/storage.ts';
import type { MasterKey } from '../format/master-key.ts';
import type { Repository } from '../open-repository.ts';
import { reopen } from './small-repository.ts';

export interface DyingStorage extends Storage {
  /** Calls so far, the failing ones included. */
  readonly calls: number;
}

/** The call with number `diesAt` (from 0) and all after it fail without effect. */
export function dyingStorage(inner: Storage, diesAt: number): DyingStorage {
  let calls = 0;
  const count = () => {
    calls += 1;
    if (calls > diesAt) throw new AppError('STORAGE_UNREACHABLE', { reason: 'dead' });
  };
  return {
    get calls() {
      return calls;
    },
    async put(key, body, options) {
      count();
      await inner.put(key, body, options);
    },
    async *get(key, options) {
      count();
      yield* inner.get(key, options);
    },
    async stat(key, signal) {
      count();
      return await inner.stat(key, signal);
    },
    async *list(prefix, signal) {
      count();
      yield* inner.list(prefix, signal);
    },
    async delete(key, signal) {
      count();
      await inner.delete(key, signal);
    },
  };
}

/** A repository that lies in `whole` and is used through `mortal` once it is open. */
export async function openThrough(mortal: Storage, whole: Storage, masterKey: MasterKey): Promise<Repository> {
  const repository = await reopen(whole, masterKey);
  return Object.assign(repository, { place: { ...repository.place, storage: mortal } });
}
