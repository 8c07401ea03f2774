import { AppError } from '@backupx/contracts/errors';

/** Longest key in UTF-8 bytes; the limit of S3, kept everywhere so that artifacts can move between storages. */
export const MAX_KEY_BYTES = 1024;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is looked for
const FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f\\]/;

const isUsableText = (text: string): boolean =>
  text.isWellFormed() && !FORBIDDEN_CHARACTERS.test(text) && Buffer.byteLength(text) <= MAX_KEY_BYTES;

const isUsableSegment = (segment: string): boolean => segment !== '' && segment !== '.' && segment !== '..';

/** True when `key` follows the rules of `ports/storage.ts`. */
export function isStorageKey(key: string): boolean {
  return isUsableText(key) && key.split('/').every(isUsableSegment);
}

/** Throws `STORAGE_INVALID_KEY` unless `key` follows the rules of `ports/storage.ts`. */
export function assertStorageKey(key: string): void {
  if (!isStorageKey(key)) throw invalidKey(key);
}

/** Like `assertStorageKey` for a list prefix: may be empty, and its last segment may be the beginning of a name. */
export function assertStoragePrefix(prefix: string): void {
  const whole = prefix.split('/').slice(0, -1);
  if (!isUsableText(prefix) || !whole.every(isUsableSegment)) throw invalidKey(prefix);
}

const invalidKey = (key: string) => new AppError('STORAGE_INVALID_KEY', { key: JSON.stringify(key) });
