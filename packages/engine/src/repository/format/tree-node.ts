/**
 * Trees: the list of a folder's items, stored as JSON, byte for byte as restic writes it (internal/restic/node.go and
 * tree.go), since equal folders shall be equal blobs whoever saved them. The field order is Go's, absent means zero.
 */
import { isUtf8 } from 'node:buffer';
import { toHex } from './blob-id.ts';
import { type NodeType, toGoMode } from './go-file-mode.ts';
import { goJson, goJsonBytes, goJsonString, goNameJson } from './go-json.ts';
import { formatGoTime } from './go-time.ts';

export { parseTree } from './parse-tree.ts';

/** One item of a folder. Times are nanoseconds since 1970. */
export interface TreeNode {
  /** Raw bytes, a name without `/`. */
  readonly name: Buffer;
  readonly type: NodeType;
  /** Permission bits with setuid, setgid and sticky (0o7777); the rest of Go's number comes from the type. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly inode: bigint;
  readonly deviceId: bigint;
  /** Bytes of a file, as many as were read; 0 for everything else. */
  readonly size: bigint | number;
  /** Hard links of files, symlinks and devices; 0 for everything else. */
  readonly links: number;
  readonly linkTarget: Buffer | null;
  readonly xattrs: ReadonlyMap<string, Uint8Array> | null;
  /** `st_rdev` of a device, see `device-number.ts`; 0 for everything else. */
  readonly device: number | bigint;
  /** Ids of the parts of a file, in order; null for everything that is no file. */
  readonly content: readonly Uint8Array[] | null;
  /** Id of the tree of a folder. */
  readonly subtree: Uint8Array | null;
  /** What restic notes on Windows, e.g. `windows.creation_time`: any JSON. */
  readonly genericAttributes?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** The JSON of one item. */
export function packNode(node: TreeNode): string {
  const mtime = formatGoTime(node.mtimeNs);
  const ctime = node.ctimeNs === node.mtimeNs ? mtime : formatGoTime(node.ctimeNs);
  const atime = node.atimeNs === node.mtimeNs ? mtime : formatGoTime(node.atimeNs);
  const mode = toGoMode(node.mode, node.type);
  return (
    `{"name":${goNameJson(node.name)},"type":"${node.type}"${mode === 0 ? '' : `,"mode":${mode}`}` +
    `,"mtime":"${mtime}","atime":"${atime}","ctime":"${ctime}"${ownerFields(node)}` +
    numberFields(node) +
    (isOrdinary(node) ? '' : rareFields(node)) +
    (node.type === 'file' ? `,"content":${idList(node.content ?? [])}` : ',"content":null') +
    (node.subtree ? `,"subtree":"${toHex(node.subtree)}"` : '') +
    (node.error ? `,"error":${goJsonString(node.error)}}` : '}')
  );
}

/** Who an item belongs to. */
export type NodeOwner = Pick<TreeNode, 'uid' | 'gid' | 'user' | 'group'>;

let lastOwner: NodeOwner = { uid: -1, gid: -1, user: '', group: '' };
let lastOwnerText = '';

/** The owner in the JSON of an item, with the comma before it. Most neighbours have the same. */
export function ownerFields({ uid, gid, user, group }: NodeOwner): string {
  const last = lastOwner;
  if (uid === last.uid && gid === last.gid && user === last.user && group === last.group) return lastOwnerText;
  lastOwner = { uid, gid, user, group };
  lastOwnerText =
    `,"uid":${uid},"gid":${gid}` +
    (user === '' ? '' : `,"user":${goJsonString(user)}`) +
    (group === '' ? '' : `,"group":${goJsonString(group)}`);
  return lastOwnerText;
}

function numberFields({ inode, deviceId, size, links }: TreeNode): string {
  return (
    (inode === 0n ? '' : `,"inode":${inode}`) +
    (deviceId === 0n ? '' : `,"device_id":${deviceId}`) +
    (Number(size) === 0 ? '' : `,"size":${size}`) +
    (links === 0 ? '' : `,"links":${links}`)
  );
}

function isOrdinary(node: TreeNode): boolean {
  return !node.linkTarget && !node.xattrs && !node.genericAttributes && Number(node.device) === 0;
}

function rareFields(node: TreeNode): string {
  let text = '';
  if (node.linkTarget && node.linkTarget.length > 0) {
    text += `,"linktarget":${goJsonBytes(node.linkTarget)}`;
    if (!isUtf8(node.linkTarget)) text += `,"linktarget_raw":"${node.linkTarget.toString('base64')}"`;
  }
  if (node.xattrs && node.xattrs.size > 0) {
    text += `,"extended_attributes":[${Array.from(node.xattrs, xattrJson).join(',')}]`;
  }
  const generic = Object.entries(node.genericAttributes ?? {});
  if (generic.length > 0) text += `,"generic_attributes":{${generic.sort(byKey).map(attributeJson).join(',')}}`;
  if (Number(node.device) !== 0) text += `,"device":${node.device}`;
  return text;
}

function xattrJson([name, value]: [string, Uint8Array]): string {
  const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  return `{"name":${goJsonString(name)},"value":"${base64}"}`;
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}

function attributeJson([key, value]: [string, unknown]): string {
  return `${goJsonString(key)}:${goJson(value)}`;
}

function idList(ids: readonly Uint8Array[]): string {
  const [only] = ids;
  if (!only) return '[]';
  return ids.length === 1 ? `["${toHex(only)}"]` : `["${ids.map(toHex).join('","')}"]`;
}

/** Nodes made into bytes at once: one text for all would be longer than a string may be. */
const NODES_AT_ONCE = 10_000;

/** The tree blob of items from `packNode`, which must come in ascending order of their raw names. */
export function packTree(nodes: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < nodes.length; at += NODES_AT_ONCE) {
    const isLast = at + NODES_AT_ONCE >= nodes.length;
    const text = nodes.slice(at, at + NODES_AT_ONCE).join(',');
    parts.push(Buffer.from(`${at === 0 ? '{"nodes":[' : ','}${text}${isLast ? ']}\n' : ''}`));
  }
  const [only] = parts;
  if (parts.length > 1) return Buffer.concat(parts);
  return only ?? Buffer.from('{"nodes":[]}\n');
}
