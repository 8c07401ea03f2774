/**
 * The installation's age key, sealed at rest. Tasks and agents get the recipient only; the identity opens artifacts
 * and leaves the master in two ways: in a restore of its own record, and in the recovery kit.
 */
import type { Kysely } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { SecretBox } from './secret-box.ts';
import { settingsStore } from './settings.store.ts';

type Db = Kysely<Tables>;

export interface EncryptionKey {
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string;
  /** `age1…` */
  readonly recipient: string;
}

export interface EncryptionKeysStore {
  /** The key of this installation. */
  get(): Promise<EncryptionKey>;
}

/** Makes the key at the first start; afterwards the stored one is used for ever. */
export async function createEncryptionKeysStore(options: {
  readonly db: Db;
  readonly box: SecretBox;
  readonly createKey: () => Promise<EncryptionKey>;
  readonly now: () => Date;
}): Promise<EncryptionKeysStore> {
  const { db, box } = options;
  const read = async (): Promise<EncryptionKey | null> => {
    const sealed = await settingsStore.get<string>(db, 'encryption_key');
    return sealed === null ? null : (JSON.parse(box.open(sealed)) as EncryptionKey);
  };
  let key = await read();
  if (!key) {
    const { identity, recipient } = await options.createKey();
    key = { identity, recipient };
    await settingsStore.set(db, 'encryption_key', box.seal(JSON.stringify(key)), options.now().toISOString());
  }
  const stored: EncryptionKey = key;
  return { get: async () => stored };
}
