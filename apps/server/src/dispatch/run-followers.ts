/** Who waits for news of which run. */
import type { RecordOwner } from './ports.ts';

export interface RunFollowers {
  /** Calls `wake` after each write that concerns this run; answers the function that ends it. */
  follow(owner: RecordOwner, id: number, wake: () => void): () => void;
  wake(owner: RecordOwner, id: number): void;
}

export function createRunFollowers(): RunFollowers {
  const followers = new Map<string, Set<() => void>>();
  return {
    follow(owner, id, wake) {
      const key = `${owner}:${id}`;
      const set = followers.get(key) ?? new Set();
      followers.set(key, set.add(wake));
      return () => {
        set.delete(wake);
        if (set.size === 0 && followers.get(key) === set) followers.delete(key);
      };
    },
    wake(owner, id) {
      for (const wake of followers.get(`${owner}:${id}`) ?? []) wake();
    },
  };
}
