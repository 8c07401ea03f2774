/** Creates and changes storage targets: validates by the driver, keeps masked secrets, seals the whole config. */
import type { StorageTargetInput } from '@backupx/contracts/api/storage-targets';
import { AppError } from '@backupx/contracts/errors';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { type StorageTargetRow, storageTargetsStore } from '../../stores/storage-targets.store.ts';
import { unmaskSecrets } from './mask-secrets.ts';
import type { StorageTargetsDeps } from './storage-targets.routes.ts';

type Input = Required<StorageTargetInput>;

/** The config ready for the driver: masks filled in, defaults added. Throws INVALID_INPUT or STORAGE_TYPE_UNKNOWN. */
export function settleConfig(
  deps: StorageTargetsDeps,
  input: { readonly type: string; readonly config: Record<string, unknown> },
  stored: StorageTargetRow | undefined,
): Record<string, unknown> {
  const { storages } = deps.engine.manifests;
  const manifest = storages.find((one) => one.type === input.type);
  if (!manifest) {
    const known = storages.map((one) => one.type).join(', ');
    throw new AppError('STORAGE_TYPE_UNKNOWN', { type: input.type, known });
  }
  // A secret of another type of storage must not wander into this one by having the same field name.
  const old = stored?.type === input.type ? storageTargetsStore.openConfig(deps.box, stored) : null;
  return deps.engine.parseSettings('storage', input.type, unmaskSecrets(input.config, old, manifest));
}

function columns(deps: StorageTargetsDeps, input: Input, config: Record<string, unknown>) {
  return {
    name: input.name,
    type: input.type,
    description: input.description,
    enabled: input.enabled ? (1 as const) : (0 as const),
    config_sealed: storageTargetsStore.sealConfig(deps.box, config),
    quota_bytes: input.quotaBytes,
    updated_at: deps.clock.now().toISOString(),
  };
}

function asNameTaken(name: string) {
  return (error: unknown): never => {
    throw isUniqueViolation(error) ? new AppError('STORAGE_TARGET_NAME_TAKEN', { name }, { cause: error }) : error;
  };
}

export async function createStorageTarget(deps: StorageTargetsDeps, input: Input): Promise<StorageTargetRow> {
  const values = columns(deps, input, settleConfig(deps, input, undefined));
  return await storageTargetsStore
    .insert(deps.db, {
      ...values,
      starred: 0,
      last_test_at: null,
      last_test_ok: null,
      last_test_message: null,
      created_at: values.updated_at,
    })
    .catch(asNameTaken(input.name));
}

/** A changed config forgets the last test: it said something about other settings. */
export async function updateStorageTarget(
  deps: StorageTargetsDeps,
  stored: StorageTargetRow,
  input: Input,
): Promise<StorageTargetRow> {
  const config = settleConfig(deps, input, stored);
  const before = JSON.stringify(storageTargetsStore.openConfig(deps.box, stored));
  const isSame = stored.type === input.type && before === JSON.stringify(config);
  const forgotten = isSame ? {} : { last_test_at: null, last_test_ok: null, last_test_message: null };
  const row = await storageTargetsStore
    .update(deps.db, stored.id, { ...columns(deps, input, config), ...forgotten })
    .catch(asNameTaken(input.name));
  if (!row) throw new AppError('STORAGE_TARGET_NOT_FOUND');
  return row;
}
