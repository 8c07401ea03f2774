/** Storage keys of a repository and where restic's REST protocol has them. */
import { AppError } from '@backupx/contracts/errors';
import { assertStorageKey } from '../../ports/storage-key.ts';

export const listedTypes = ['keys', 'locks', 'snapshots', 'index', 'data'] as const;
export type ListedType = (typeof listedTypes)[number];

const HASH = '[0-9a-f]{64}';
const KEY = new RegExp(`^(?:config|(?:keys|locks|snapshots|index)/${HASH}|data/([0-9a-f]{2})/\\1[0-9a-f]{62})$`);
const NAME = new RegExp(`^${HASH}$`);

/** Path below the repository's address. Throws STORAGE_INVALID_KEY for what no repository has. */
export function restPathOf(key: string): string {
  assertStorageKey(key);
  if (!KEY.test(key)) throw new AppError('STORAGE_INVALID_KEY', { key: JSON.stringify(key) });
  return key.startsWith('data/') ? `data/${key.slice('data/xx/'.length)}` : key;
}

/** The key of a listed file; null for a name that no repository has. */
export function keyOfListed(type: ListedType, name: string): string | null {
  if (!NAME.test(name)) return null;
  return type === 'data' ? `data/${name.slice(0, 2)}/${name}` : `${type}/${name}`;
}

/** True when keys of this type (or the config) can begin with `prefix`. */
export function mayHold(type: ListedType | 'config', prefix: string): boolean {
  const folder = type === 'config' ? 'config' : `${type}/`;
  return folder.startsWith(prefix) || (type !== 'config' && prefix.startsWith(folder));
}
