import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
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

const isRoot = process.getuid?.() === 0;

/** Runs each step; answers one sentence per step that failed. Later steps still run. */
function tryAll(steps: readonly (readonly [string, () => void])[]): string[] {
  const failures: string[] = [];
  for (const [what, step] of steps) {
    try {
      step();
    } catch (error) {
      failures.push(`${what}: ${reasonOf(error)}`);
    }
  }
  return failures;
}

/** Names win over numbers, as in tar: the same account may have another number on this machine. */
function ownerOf(metadata: ItemMetadata, owners: OwnerNames): readonly [number, number] {
  const uid = metadata.userName === '' ? null : owners.userId(metadata.userName);
  const gid = metadata.groupName === '' ? null : owners.groupId(metadata.groupName);
  return [uid ?? metadata.uid, gid ?? metadata.gid];
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
 * Sets owner (root only), mode, attributes and time of an open file or folder, in this order: a change of owner
 * clears setuid bits and capabilities. `path` names the same item, for the calls that take no descriptor.
 */
export function applyToDescriptor(
  item: { descriptor: number; path: string },
  metadata: ItemMetadata,
  owners: OwnerNames,
): string[] {
  const { descriptor, path } = item;
  const { xattrs } = metadata;
  const time = seconds(metadata.modifiedAtNs);
  return [
    ...(isRoot ? tryAll([['owner', () => fchownSync(descriptor, ...ownerOf(metadata, owners))]]) : []),
    ...tryAll([['mode', () => fchmodSync(descriptor, metadata.mode & 0o7777)]]),
    ...(xattrs ? writeXattrs(path, xattrs) : []),
    ...tryAll([['time', () => futimesSync(descriptor, time, time)]]),
  ];
}

/** The same for what cannot be opened: links (`isLink`: no mode) and special files. */
export function applyToPath(
  item: { path: string; isLink: boolean },
  metadata: ItemMetadata,
  owners: OwnerNames,
): string[] {
  const path = toBytes(item.path);
  const { xattrs } = metadata;
  const time = seconds(metadata.modifiedAtNs);
  return [
    ...(isRoot ? tryAll([['owner', () => lchownSync(path, ...ownerOf(metadata, owners))]]) : []),
    ...(item.isLink ? [] : tryAll([['mode', () => chmodSync(path, metadata.mode & 0o7777)]])),
    ...(xattrs ? writeXattrs(item.path, xattrs) : []),
    ...tryAll([['time', () => lutimesSync(path, time, time)]]),
  ];
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
