/** A sealed canary in the settings tells at start whether the key is the one the database was written with. */
import { AppError } from '@backupx/contracts/errors';
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { SecretBox } from './secret-box.ts';
import { settingsStore } from './settings.store.ts';

type Db = Kysely<Tables>;

const CANARY = 'backupx';

/** True when the database holds sealed values. */
export async function hasSealedValues(db: Db): Promise<boolean> {
  return (await settingsStore.get(db, 'secret_canary')) !== null;
}

/** Throws CONFIG_INVALID when `box` has another key than the one the database was written with. */
export async function checkSecretKey(db: Db, box: SecretBox, now: Date): Promise<void> {
  const sealed = await settingsStore.get<string>(db, 'secret_canary');
  if (sealed === null) {
    await settingsStore.set(db, 'secret_canary', box.seal(CANARY), now.toISOString());
    return;
  }
  try {
    if (box.open(sealed) === CANARY) return;
  } catch (error) {
    throw wrongKey(error);
  }
  throw wrongKey();
}

function wrongKey(cause?: unknown): AppError {
  const problems =
    'the encryption key (security.encryption_key, security.encryption_key_file or secret.key in data_dir) ' +
    'is not the one the database was written with';
  return new AppError('CONFIG_INVALID', { problems }, { cause });
}
