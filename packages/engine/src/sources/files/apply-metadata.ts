import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  openSync,
} from 'node:fs';
import type { RestoreEntry } from '../../ports/source.ts';
import { toBytes, toText } from './byte-paths.ts';
import { reasonOf } from './errno.ts';
import { writeXattrs } from './extended-attributes.ts';
import type { OwnerNames } from './owner-names.ts';

/** The part of an entry that is set after its content; plain data once `modifiedAtNs` is a string. */
export type ItemMetadata = Pick<
  RestoreEntry,
  'mode' | 'uid' | 'gid' | 'userName' | 'groupName' | 'modifiedAtNs' | 'xattrs'
>;

export const isRoot = process.getuid?.() === 0;
const OWNER_WRITES = 0o200;

/** Adds one sentence when a step failed. */
function note(failures: string[], what: string, error: unknown): void {
  failures.push(`${what}: ${reasonOf(error)}`);
}

/** The owner an item gets. Names win over numbers, as in tar: the same account may have another number on this machine. */
export function uidOf({ userName, uid }: ItemMetadata, owners: OwnerNames): number {
  return (userName === '' ? null : owners.userId(userName)) ?? uid;
}

export function gidOf({ groupName, gid }: ItemMetadata, owners: OwnerNames): number {
  return (groupName === '' ? null : owners.groupId(groupName)) ?? gid;
}

/**
 * Seconds as the runtime wants them; a double keeps them to about a quarter of a microsecond. A negative number means
 * now to the runtime, a text with the same number does not: there are files from before 1970.
 */
function seconds(nanoseconds: bigint): number | string {
  const whole = nanoseconds / 1_000_000_000n;
  const time = Number(whole) + Number(nanoseconds - whole * 1_000_000_000n) / 1e9;
  return time < 0 ? String(time) : time;
}

/**
 * Sets owner (root only), attributes, time and mode of an open file or folder, in this order: a change of owner
 * clears setuid bits and capabilities, and attributes can be set only where one may write (see `letUsWrite`). `path` names the same item,
 * for the calls that take no descriptor; `hasOwner`: it has its owner already. Answers one sentence per step that failed;
 * later steps still run. Plain code: it runs for every file.
 */
export function applyToDescriptor(
  { descriptor, path, hasOwner = false }: { descriptor: number; path: string; hasOwner?: boolean },
  metadata: ItemMetadata,
  owners: OwnerNames,
): string[] {
  const failures: string[] = [];
  try {
    if (isRoot && !hasOwner) fchownSync(descriptor, uidOf(metadata, owners), gidOf(metadata, owners));
  } catch (error) {
    note(failures, 'owner', error);
  }
  if (metadata.xattrs) {
    letUsWrite(descriptor);
    failures.push(...writeXattrs(path, metadata.xattrs));
  }
  try {
    const time = seconds(metadata.modifiedAtNs);
    futimesSync(descriptor, time, time);
  } catch (error) {
    note(failures, 'time', error);
  }
  try {
    fchmodSync(descriptor, metadata.mode & 0o7777);
  } catch (error) {
    note(failures, 'mode', error);
  }
  return failures;
}

/** What was in place before may be read-only for its owner, too. Its own mode is still to come. */
function letUsWrite(descriptor: number): void {
  if (isRoot) return;
  try {
    const mode = fstatSync(descriptor).mode & 0o7777;
    if ((mode & OWNER_WRITES) === 0) fchmodSync(descriptor, mode | OWNER_WRITES);
  } catch {
    // Then the attributes say what is wrong.
  }
}

/** The same for what cannot be opened: links (`isLink`: no mode) and special files. */
export function applyToPath(
  item: { path: string; isLink: boolean },
  metadata: ItemMetadata,
  owners: OwnerNames,
): string[] {
  const path = toBytes(item.path);
  const failures: string[] = [];
  try {
    if (isRoot) lchownSync(path, uidOf(metadata, owners), gidOf(metadata, owners));
  } catch (error) {
    note(failures, 'owner', error);
  }
  if (metadata.xattrs) failures.push(...writeXattrs(item.path, metadata.xattrs));
  try {
    const time = seconds(metadata.modifiedAtNs);
    lutimesSync(path, time, time);
  } catch (error) {
    note(failures, 'time', error);
  }
  try {
    if (!item.isLink) chmodSync(path, metadata.mode & 0o7777);
  } catch (error) {
    note(failures, 'mode', error);
  }
  return failures;
}

/** Opens a folder that must not be a link and sets its metadata. */
export function applyToFolder(path: string, metadata: ItemMetadata, owners: OwnerNames): string[] {
  const descriptor = openSync(toBytes(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    // The name may not be text, the open folder always has a plain path.
    const self = `/proc/self/fd/${descriptor}/.`;
    return applyToDescriptor({ descriptor, path: existsSync(self) ? self : (toText(path) ?? path) }, metadata, owners);
  } finally {
    closeSync(descriptor);
  }
}

/** Metadata as a line of JSON and back, for the journal. */
export function packMetadata(metadata: ItemMetadata): string {
  const { mode, uid, gid, userName, groupName, modifiedAtNs, xattrs } = metadata;
  const attributes = xattrs ? [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]) : null;
  return JSON.stringify({
    mode,
    uid,
    gid,
    userName,
    groupName,
    modifiedAtNs: String(modifiedAtNs),
    xattrs: attributes,
  });
}

export function unpackMetadata(text: string): ItemMetadata {
  const data = JSON.parse(text) as Omit<ItemMetadata, 'modifiedAtNs' | 'xattrs'> & {
    modifiedAtNs: string;
    xattrs: [string, string][] | null;
  };
  const xattrs = data.xattrs ? new Map(data.xattrs.map(([name, value]) => [name, Buffer.from(value, 'base64')])) : null;
  return { ...data, modifiedAtNs: BigInt(data.modifiedAtNs), xattrs };
}
