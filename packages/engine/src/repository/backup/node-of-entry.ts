import type { SourceEntry } from '../../ports/source.ts';
import { joinDevice } from '../format/device-number.ts';
import type { NodeType } from '../format/go-file-mode.ts';
import type { TreeNode } from '../format/tree-node.ts';

const NODE_TYPES: Readonly<Record<SourceEntry['type'], NodeType>> = {
  file: 'file',
  directory: 'dir',
  symlink: 'symlink',
  hardlink: 'file',
  fifo: 'fifo',
  char_device: 'chardev',
  block_device: 'dev',
};

/** What a node has that its entry does not know. */
export interface NodeContent {
  readonly content?: readonly Uint8Array[];
  readonly sizeBytes?: bigint;
  readonly subtree?: Uint8Array | null;
}

/** Last name of a path of raw bytes. */
export function lastNameOf(path: Uint8Array): Buffer {
  return Buffer.from(path.subarray(path.lastIndexOf(0x2f) + 1));
}

/**
 * The node of an item, with exactly the fields that stock restic gives it by default, so that both make the same tree of
 * the same folder: the access time is that of the last change of content, a fifo has no number of links.
 */
export function nodeOfEntry(entry: SourceEntry, name: Buffer, content: NodeContent): TreeNode {
  const type = NODE_TYPES[entry.type];
  return {
    name,
    type,
    mode: entry.mode,
    mtimeNs: entry.modifiedAtNs,
    atimeNs: entry.modifiedAtNs,
    uid: entry.uid,
    gid: entry.gid,
    user: entry.userName,
    group: entry.groupName,
    ...identityFields(entry, type),
    ...contentFields(type, content),
    linkTarget: type === 'symlink' && entry.linkTarget ? Buffer.from(entry.linkTarget) : null,
    xattrs: entry.xattrs,
    device: type === 'dev' || type === 'chardev' ? joinDevice(entry.deviceMajor, entry.deviceMinor) : 0,
    ...(entry.metadataError ? { error: entry.metadataError } : {}),
  };
}

function identityFields({ identity, modifiedAtNs }: SourceEntry, type: NodeType) {
  if (!identity) return { ctimeNs: modifiedAtNs, inode: 0n, deviceId: 0n, links: 0 };
  const links = type === 'dir' || type === 'fifo' ? 0 : Number(identity.linkCount);
  return { ctimeNs: identity.changedAtNs, inode: identity.inode, deviceId: identity.device, links };
}

function contentFields(type: NodeType, { content, sizeBytes = 0n, subtree = null }: NodeContent) {
  return type === 'file' ? { size: sizeBytes, content: content ?? [], subtree } : { size: 0, content: null, subtree };
}

/** A folder that nobody could look at still needs a node. */
export function unknownFolder(name: Buffer, subtree: Uint8Array): TreeNode {
  const entry: SourceEntry = {
    path: name,
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    modifiedAtNs: 0n,
    linkTarget: null,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: null,
    content: null,
  };
  return nodeOfEntry(entry, name, { subtree });
}
