/** API keys: `bax_` and 256 random bits; looked up by hash for `http/authenticate.ts`. */
import { hash, randomBytes } from 'node:crypto';
import type { Role } from '@backupx/contracts/api/auth';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { API_KEY_PREFIX, type FoundApiKey } from '../../http/authenticate.ts';
import { apiKeysStore } from '../../stores/api-keys.store.ts';

const TOUCH_EVERY_MS = 60_000;

export const createApiKeySecret = (): string => API_KEY_PREFIX + randomBytes(32).toString('base64url');
export const hashApiKey = (key: string): string => hash('sha256', key);

export function createFindApiKey({ db, clock }: { readonly db: Db; readonly clock: Clock }) {
  return async (key: string): Promise<FoundApiKey | null> => {
    if (key.length > 512) return null;
    const row = await apiKeysStore.findByHash(db, hashApiKey(key));
    if (row?.enabled !== 1) return null;
    const now = clock.now();
    if (row.expires_at !== null && Date.parse(row.expires_at) <= now.getTime()) return null;
    if (row.last_used_at === null || now.getTime() - Date.parse(row.last_used_at) > TOUCH_EVERY_MS) {
      await apiKeysStore.touch(db, row.id, now.toISOString());
    }
    return { name: row.name, role: row.role as Role };
  };
}
