/**
 * Names of stored backups. They are the catalogue: `<prefix>/<user>/<path of the file>/<ebid>.zst[.age]`, so listing a
 * storage answers every inquiry, from any machine and while any number of processes write.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';

const LEAF = /^(\d{13}-[0-9a-f]{12})\.zst(\.age)?$/;
/** An empty part of a path, such as the one before a leading slash. */
const EMPTY_PART = '_';

/** What the name of an object tells. */
export interface StoredBackup {
  readonly key: string;
  readonly file: string;
  readonly ebid: string;
  readonly createdAt: Date;
  readonly isEncrypted: boolean;
}

let lastMs = 0;

/** A new id: it begins with the time, so ids of one file sort by age, and ends with chance, so processes do not meet. */
export function newEbid(clock: Clock): string {
  lastMs = Math.max(lastMs + 1, clock.now().getTime());
  return `${String(lastMs).padStart(13, '0')}-${randomBytes(6).toString('hex')}`;
}

/** Folder of everything a user has, with its slash. */
export function userFolder(prefix: string, user: string): string {
  return `${prefix === '' ? '' : `${prefix}/`}${encodePart(user)}/`;
}

/** Folder of the backups of one file, with its slash. */
export function fileFolder(prefix: string, user: string, file: string): string {
  return `${userFolder(prefix, user)}${file.split('/').map(encodePart).join('/')}/`;
}

/** Name of an object in the folder of its file. */
export function objectName(ebid: string, isEncrypted: boolean): string {
  return `${ebid}.zst${isEncrypted ? '.age' : ''}`;
}

/** Reads a name back; null for what is none of ours. `folder`: that of the user. */
export function readKey(key: string, folder: string): StoredBackup | null {
  const parts = key.slice(folder.length).split('/');
  const leaf = LEAF.exec(parts.pop() ?? '');
  const decoded = parts.map(decodePart);
  if (!leaf || parts.length === 0 || decoded.includes(null)) return null;
  const ebid = leaf[1] as string;
  return {
    key,
    file: decoded.join('/'),
    ebid,
    createdAt: new Date(Number(ebid.slice(0, 13))),
    isEncrypted: leaf[2] !== undefined,
  };
}

/** Only characters that every storage takes; a leading dot too is written as its code. */
function encodePart(text: string): string {
  if (text === '') return EMPTY_PART;
  if (text === EMPTY_PART) return '%5F';
  const encoded = encodeURIComponent(text).replace(
    /[!'()*~]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.replace(/^\./, '%2E');
}

function decodePart(text: string): string | null {
  if (text === EMPTY_PART) return '';
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
