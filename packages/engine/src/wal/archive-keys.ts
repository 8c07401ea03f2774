/**
 * Names of stored files: `<prefix>/<first 16 digits>/<name>-<SHA-256>.zst[.age]`, histories in `<prefix>/history/`. The
 * checksum of the content in the name tells by a listing alone whether the same file is there, or another of its name;
 * two servers that write at the same moment cannot replace each other's.
 */
import type { StoredObject } from '../ports/storage.ts';
import { parseWalName, type WalName } from './wal-names.ts';

const LEAF = /^([0-9A-Fa-z.]+)-([0-9a-f]{64})\.zst(\.age)?$/;
const MARK = /^(\d{1,20})-(\d{1,10})\.json$/;

/** A file in the archive. */
export interface StoredWal extends WalName {
  readonly key: string;
  readonly sha256: string;
  readonly isEncrypted: boolean;
  /** As it is stored. */
  readonly sizeBytes: number;
  readonly storedAt: Date | null;
}

/** What an archive belongs to. */
export interface Cluster {
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
}

/** Start of the keys of one name. */
export function keyStart(prefix: string, { name, kind }: WalName): string {
  return `${prefix}/${kind === 'history' ? 'history' : name.slice(0, 16)}/${name}-`;
}

export function walKey(prefix: string, file: WalName & { sha256: string; isEncrypted: boolean }): string {
  return `${keyStart(prefix, file)}${file.sha256}.zst${file.isEncrypted ? '.age' : ''}`;
}

/** Null for what is none of ours. */
export function readWalKey(prefix: string, object: StoredObject): StoredWal | null {
  const leaf = LEAF.exec(object.key.slice(object.key.lastIndexOf('/') + 1));
  const file = leaf ? parseWalName(leaf[1] as string) : null;
  if (!leaf || !file) return null;
  const stored = { ...file, sha256: leaf[2] as string, isEncrypted: leaf[3] !== undefined };
  if (walKey(prefix, stored) !== object.key) return null;
  return { ...stored, key: object.key, sizeBytes: object.sizeBytes, storedAt: object.modifiedAt };
}

/** Start of the keys of claims. */
export function claimStart(prefix: string): string {
  return `${prefix}/claim/`;
}

/** Who may store something of this name, while that is done. */
export function claimKey(prefix: string, name: string): string {
  return `${claimStart(prefix)}${name}.json`;
}

/** Null for what is no claim of a file. */
export function readClaimKey(prefix: string, key: string): WalName | null {
  const name = key.endsWith('.json') ? key.slice(claimStart(prefix).length, -'.json'.length) : '';
  return claimKey(prefix, name) === key ? parseWalName(name) : null;
}

/** Start of the keys that say whose archive it is. */
export function markStart(prefix: string): string {
  return `${prefix}/cluster/`;
}

export function markKey(prefix: string, { systemIdentifier, segmentBytes }: Cluster): string {
  return `${markStart(prefix)}${systemIdentifier}-${segmentBytes}.json`;
}

export function readMarkKey(prefix: string, key: string): Cluster | null {
  const parts = MARK.exec(key.slice(markStart(prefix).length));
  return parts ? { systemIdentifier: parts[1] as string, segmentBytes: Number(parts[2]) } : null;
}
