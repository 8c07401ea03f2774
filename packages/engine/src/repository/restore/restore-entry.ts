import type { EntryType, RestoreEntry } from '../../ports/source.ts';
import { splitDevice } from '../format/device-number.ts';
import type { TreeNode } from '../format/tree-node.ts';

const TYPES: Readonly<Record<string, EntryType>> = {
  file: 'file',
  dir: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
  chardev: 'char_device',
  dev: 'block_device',
};

/** Null for what cannot be restored: sockets, and what we do not know. */
export function entryTypeOf(node: TreeNode): EntryType | null {
  return TYPES[node.type] ?? null;
}

export interface EntryOptions {
  readonly type: EntryType;
  readonly path: Uint8Array;
  /** Bytes of a file. */
  readonly sizeBytes?: number;
  /** Path of the first name of a hard link. */
  readonly firstName?: Uint8Array;
}

/** A node as the source takes it back. */
export function restoreEntryOf(node: TreeNode, { type, path, sizeBytes = 0, firstName }: EntryOptions): RestoreEntry {
  const isDevice = type === 'char_device' || type === 'block_device';
  const { major, minor } = isDevice ? splitDevice(node.device) : { major: 0, minor: 0 };
  return {
    path,
    type,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    userName: node.user,
    groupName: node.group,
    modifiedAtNs: node.mtimeNs,
    linkTarget: firstName ?? node.linkTarget,
    deviceMajor: major,
    deviceMinor: minor,
    xattrs: node.xattrs,
    sizeBytes,
    segments: null,
    content: null,
  };
}
