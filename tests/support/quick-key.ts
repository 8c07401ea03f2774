/** Lets stock restic open a repository at once: most of a short run of it would go into scrypt. */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createKeyFile } from '../../packages/engine/src/repository/format/key-file.ts';
import { unpackMasterKey } from '../../packages/engine/src/repository/format/master-key.ts';
import { password } from './repository.ts';

/** Puts one key that costs next to nothing in the place of those that are there. The password stays. */
export async function useQuickKey(folder: string, masterKey: string): Promise<void> {
  const key = await createKeyFile({
    password,
    masterKey: unpackMasterKey(masterKey),
    username: 'judge',
    hostname: 'judge',
    created: new Date().toISOString(),
    cost: { N: 16, r: 1, p: 1 },
  });
  const keys = path.join(folder, 'keys');
  for (const name of readdirSync(keys)) rmSync(path.join(keys, name));
  writeFileSync(path.join(keys, createHash('sha256').update(key).digest('hex')), key);
}
