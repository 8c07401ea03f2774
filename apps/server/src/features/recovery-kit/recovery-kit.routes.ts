/** Download of the recovery kit (administrators, audited) and whether it is time to ask for it. */
import { systemRoutes } from '@backupx/contracts/api/system';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Db } from '../../dispatch/ports.ts';
import { kitCommands } from '../../dispatch/repositories/kit-commands.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import type { EncryptionKeysStore } from '../../stores/encryption-keys.store.ts';
import { openTarget } from '../../stores/open-target.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import type { SecretBox } from '../../stores/secret-box.ts';
import { settingsStore } from '../../stores/settings.store.ts';
import { readSiteSettings } from '../../stores/site-settings.ts';
import { type StorageTargetRow, storageTargetsStore } from '../../stores/storage-targets.store.ts';
import { type KitPlace, type KitRepository, writeRecoveryKit } from './write-recovery-kit.ts';

export interface RecoveryKitDeps {
  readonly db: Db;
  readonly box: SecretBox;
  readonly engine: Pick<Engine, 'manifests'>;
  readonly clock: Clock;
  readonly encryptionKeys: EncryptionKeysStore;
}

/** The newest artifact in a target, encrypted ones first: those are what the kit is for. */
async function newestArtifact(db: Db, targetId: number): Promise<KitPlace['example']> {
  const row = await db
    .selectFrom('records')
    .select(['storage_path', 'task_name'])
    .where('storage_target_id', '=', targetId)
    .where('storage_path', '!=', '')
    .orderBy('encrypted', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? { storagePath: row.storage_path, taskName: row.task_name } : null;
}

async function toPlace({ db, box, engine }: RecoveryKitDeps, row: StorageTargetRow): Promise<KitPlace> {
  return {
    name: row.name,
    type: row.type,
    config: storageTargetsStore.openConfig(box, row),
    manifest: engine.manifests.storages.find((one) => one.type === row.type),
    example: await newestArtifact(db, row.id),
  };
}

async function readRepositories({ db, box }: RecoveryKitDeps): Promise<KitRepository[]> {
  const repositories: KitRepository[] = [];
  for (const row of await repositoriesStore.all(db)) {
    const { password } = repositoriesStore.openSecret(box, row);
    const target = await openTarget(db, box, row.storage_target_id);
    repositories.push({ name: row.name, commands: kitCommands({ target, prefix: row.prefix, password }) });
  }
  return repositories;
}

async function isKitNeeded(db: Db): Promise<boolean> {
  if ((await repositoriesStore.count(db)) > 0) return true;
  const row = await db.selectFrom('records').select('id').where('encrypted', '=', 1).limit(1).executeTakeFirst();
  return row !== undefined;
}

export function recoveryKitRoutesOf(deps: RecoveryKitDeps): BoundRoute[] {
  const { db, clock } = deps;
  return [
    bind(systemRoutes.recoveryKit, async ({ reply, audit }) => {
      const { rows } = await storageTargetsStore.list(db, {});
      const places: KitPlace[] = [];
      for (const row of rows) places.push(await toPlace(deps, row));
      const { siteName } = await readSiteSettings(db);
      const now = clock.now();
      const key = await deps.encryptionKeys.get();
      const repositories = await readRepositories(deps);
      const kit = writeRecoveryKit({ siteName, createdAt: now, key, places, repositories });
      audit({ target: 'recovery kit' });
      await settingsStore.set(db, 'recovery_kit_downloaded_at', now.toISOString(), now.toISOString());
      reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store');
      reply.header('content-disposition', 'attachment; filename="backupx-recovery-kit.txt"').send(kit);
      return undefined;
    }),
    bind(systemRoutes.recoveryKitStatus, async () => ({
      needed: await isKitNeeded(db),
      downloadedAt: await settingsStore.get<string>(db, 'recovery_kit_downloaded_at'),
    })),
  ];
}
