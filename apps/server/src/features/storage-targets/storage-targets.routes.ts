/** Storage targets: where artifacts go. Configs are sealed at rest and masked in answers. */
import { type StorageTarget, storageTargetRoutes } from '@backupx/contracts/api/storage-targets';
import { AppError } from '@backupx/contracts/errors';
import type { StorageUsage } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Db } from '../../dispatch/ports.ts';
import type { EventBus } from '../../event-bus.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { isPaged } from '../../stores/list-window.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import type { SecretBox } from '../../stores/secret-box.ts';
import {
  type StorageTargetRow,
  storageTargetsStore,
  type TargetUse,
  useOf,
} from '../../stores/storage-targets.store.ts';
import { maskSecrets } from './mask-secrets.ts';
import { createStorageTarget, settleConfig, updateStorageTarget } from './save-storage-target.ts';
import { testStorage } from './test-storage.ts';

export interface StorageTargetsDeps {
  readonly db: Db;
  readonly box: SecretBox;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly bus: EventBus;
}

const USAGE_TIMEOUT_MS = 15_000;

function toStorageTarget(deps: StorageTargetsDeps, row: StorageTargetRow, use: TargetUse): StorageTarget {
  const manifest = deps.engine.manifests.storages.find((one) => one.type === row.type);
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    description: row.description,
    enabled: row.enabled === 1,
    starred: row.starred === 1,
    config: maskSecrets(storageTargetsStore.openConfig(deps.box, row), manifest),
    quotaBytes: Number(row.quota_bytes),
    ...use,
    lastTestAt: row.last_test_at,
    lastTestOk: row.last_test_ok === null ? null : row.last_test_ok === 1,
    lastTestMessage: row.last_test_message,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

async function mustFind(db: Db, id: number): Promise<StorageTargetRow> {
  const row = await storageTargetsStore.find(db, id);
  if (!row) throw new AppError('STORAGE_TARGET_NOT_FOUND');
  return row;
}

/** Tests a saved target and remembers how it went, whichever way. */
async function testSaved(deps: StorageTargetsDeps, row: StorageTargetRow, signal: AbortSignal) {
  const remember = async (message: string | null) => {
    await storageTargetsStore.update(deps.db, row.id, {
      last_test_at: deps.clock.now().toISOString(),
      last_test_ok: message === null ? 1 : 0,
      last_test_message: message,
    });
    deps.bus.publish({ type: 'storage_target_changed', storageTargetId: row.id });
  };
  try {
    const config = storageTargetsStore.openConfig(deps.box, row);
    const result = await testStorage(deps.engine, { type: row.type, config }, signal);
    await remember(null);
    return result;
  } catch (error) {
    if (!signal.aborted) await remember(error instanceof Error ? error.message : String(error));
    throw error;
  }
}

async function readUsage(deps: StorageTargetsDeps, row: StorageTargetRow, signal: AbortSignal): Promise<StorageUsage> {
  const config = storageTargetsStore.openConfig(deps.box, row);
  const storage = deps.engine.openStorage({ type: row.type, config });
  const unknown: StorageUsage = { usedBytes: null, freeBytes: null, totalBytes: null };
  try {
    const either = AbortSignal.any([signal, AbortSignal.timeout(USAGE_TIMEOUT_MS)]);
    return (await storage.usage?.(either)) ?? unknown;
  } finally {
    await storage.close?.();
  }
}

/** Refused while a living task writes there, a record has its artifact there, or a repository lies there. */
async function removeStorageTarget(db: Db, id: number): Promise<StorageTargetRow> {
  return await db.transaction().execute(async (trx) => {
    const row = await mustFind(trx, id);
    const { taskCount, recordCount } = useOf(await storageTargetsStore.use(trx), id);
    const count = taskCount + recordCount + (await repositoriesStore.ofTarget(trx, id)).length;
    if (count > 0) throw new AppError('STORAGE_TARGET_IN_USE', { name: row.name, count });
    await storageTargetsStore.remove(trx, id);
    return row;
  });
}

export function storageTargetRoutesOf(deps: StorageTargetsDeps): BoundRoute[] {
  const { db, bus } = deps;
  const show = async (row: StorageTargetRow): Promise<StorageTarget> =>
    toStorageTarget(deps, row, useOf(await storageTargetsStore.use(db), row.id));
  const changed = async (row: StorageTargetRow): Promise<StorageTarget> => {
    bus.publish({ type: 'storage_target_changed', storageTargetId: row.id });
    return await show(row);
  };

  return [
    bind(storageTargetRoutes.list, async ({ query }) => {
      const { rows, total } = await storageTargetsStore.list(db, query);
      const uses = await storageTargetsStore.use(db);
      const items = rows.map((row) => toStorageTarget(deps, row, useOf(uses, row.id)));
      return isPaged(query) ? { items, total } : items;
    }),
    bind(storageTargetRoutes.get, async ({ params }) => await show(await mustFind(db, params.id))),
    bind(storageTargetRoutes.usage, async ({ params, signal }) =>
      readUsage(deps, await mustFind(db, params.id), signal),
    ),
    bind(storageTargetRoutes.create, async ({ body, audit }) => {
      audit({ target: body.name, detail: `type ${body.type}` });
      return await changed(await createStorageTarget(deps, body));
    }),
    bind(storageTargetRoutes.update, async ({ params, body, audit }) => {
      audit({ target: body.name, detail: `type ${body.type}` });
      return await changed(await updateStorageTarget(deps, await mustFind(db, params.id), body));
    }),
    bind(storageTargetRoutes.remove, async ({ params, audit }) => {
      const row = await removeStorageTarget(db, params.id);
      audit({ target: row.name });
      bus.publish({ type: 'storage_target_changed', storageTargetId: row.id });
      return ok;
    }),
    bind(storageTargetRoutes.testUnsaved, async ({ body, signal }) => {
      const stored = body.id === undefined ? undefined : await mustFind(db, body.id);
      return await testStorage(deps.engine, { type: body.type, config: settleConfig(deps, body, stored) }, signal);
    }),
    bind(storageTargetRoutes.test, async ({ params, signal, audit }) => {
      const row = await mustFind(db, params.id);
      audit({ target: row.name });
      return await testSaved(deps, row, signal);
    }),
    bind(storageTargetRoutes.star, async ({ params, body, audit }) => {
      const row = await storageTargetsStore.update(db, params.id, { starred: body.starred ? 1 : 0 });
      if (!row) throw new AppError('STORAGE_TARGET_NOT_FOUND');
      audit({ target: row.name, detail: body.starred ? 'on' : 'off' });
      return await changed(row);
    }),
  ];
}
