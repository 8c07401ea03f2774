/** API keys: the secret is answered once, at creation. */
import { type ApiKey, apiKeyRoutes } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { type ApiKeyRow, apiKeysStore } from '../../stores/api-keys.store.ts';
import { isPaged } from '../../stores/list-window.ts';
import { createApiKeySecret, hashApiKey } from './find-api-key.ts';

const SHOWN_CHARACTERS = 10;
const HOUR_MS = 3_600_000;

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role as ApiKey['role'],
    prefix: row.prefix,
    enabled: row.enabled === 1,
    createdBy: row.created_by,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  };
}

export function apiKeyRoutesOf({ db, clock }: { readonly db: Db; readonly clock: Clock }): BoundRoute[] {
  return [
    bind(apiKeyRoutes.list, async ({ query }) => {
      const { rows, total } = await apiKeysStore.list(db, query);
      const items = rows.map(toApiKey);
      return isPaged(query) ? { items, total } : items;
    }),

    bind(apiKeyRoutes.create, async ({ body, actor, audit }) => {
      audit({ target: body.name, detail: `role ${body.role}` });
      const key = createApiKeySecret();
      const now = clock.now();
      const row = await apiKeysStore.insert(db, {
        name: body.name,
        role: body.role,
        prefix: key.slice(0, SHOWN_CHARACTERS),
        key_hash: hashApiKey(key),
        enabled: 1,
        created_by: actor.kind === 'user' ? actor.username : '',
        created_at: now.toISOString(),
        last_used_at: null,
        expires_at: body.ttlHours > 0 ? new Date(now.getTime() + body.ttlHours * HOUR_MS).toISOString() : null,
      });
      return { ...toApiKey(row), key };
    }),

    bind(apiKeyRoutes.toggle, async ({ params, body, audit }) => {
      const row = await apiKeysStore.setEnabled(db, params.id, body.enabled);
      if (!row) throw new AppError('API_KEY_NOT_FOUND');
      audit({ target: row.name, detail: body.enabled ? 'on' : 'off' });
      return toApiKey(row);
    }),

    bind(apiKeyRoutes.remove, async ({ params, audit }) => {
      const row = await apiKeysStore.remove(db, params.id);
      if (!row) throw new AppError('API_KEY_NOT_FOUND');
      audit({ target: row.name });
      return ok;
    }),
  ];
}
