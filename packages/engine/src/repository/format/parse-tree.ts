/** The way back from a tree blob to its items. Accepts any JSON that says the same, with fields unknown to us. */
import { AppError } from '@backupx/contracts/errors';
import { fromHex } from './blob-id.ts';
import { fromGoMode, type NodeType } from './go-file-mode.ts';
import { unquoteName } from './go-json.ts';
import { parseGoTime } from './go-time.ts';
import type { TreeNode } from './tree-node.ts';

/** Numbers may come as texts, see `protectBigNumbers`. */
interface NodeJson {
  readonly name: string;
  readonly type: NodeType;
  readonly mode?: number;
  readonly mtime?: string;
  readonly atime?: string;
  readonly ctime?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly user?: string;
  readonly group?: string;
  readonly inode?: number | string;
  readonly device_id?: number | string;
  readonly size?: number | string;
  readonly links?: number | string;
  readonly linktarget?: string;
  readonly linktarget_raw?: string | null;
  readonly extended_attributes?: readonly { readonly name: string; readonly value: string | null }[] | null;
  readonly generic_attributes?: Readonly<Record<string, unknown>> | null;
  readonly device?: number | string;
  readonly content?: readonly string[] | null;
  readonly subtree?: string | null;
  readonly error?: string;
}

/**
 * The items of a tree blob in its order. Throws REPOSITORY_DAMAGED when it is no tree, and also for a name that could
 * lead out of its folder: empty, `.`, `..`, with `/` or NUL.
 */
export function parseTree(json: Uint8Array): TreeNode[] {
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8');
  try {
    const tree = JSON.parse(protectBigNumbers(text)) as { readonly nodes?: readonly NodeJson[] | null };
    if (tree.nodes === undefined) throw new TypeError('it has no list of nodes');
    return (tree.nodes ?? []).map(toNode);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = `a tree cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new AppError('REPOSITORY_DAMAGED', { reason }, { cause: error });
  }
}

const BIG_NUMBER = /:\d{16}/;
/** Inside a string a quote follows a backslash, so this never matches there. */
const BIG_FIELDS = /"(inode|device_id|size|links|device)":(\d{16,20})(?=[,}])/g;

/** Inodes and the like may be above 2^53, where numbers of JSON.parse are no longer exact: makes texts of them. */
function protectBigNumbers(text: string): string {
  return BIG_NUMBER.test(text) ? text.replace(BIG_FIELDS, '"$1":"$2"') : text;
}

function toNode(json: NodeJson): TreeNode {
  const mtimeNs = timeOf(json.mtime);
  const extra: { genericAttributes?: Readonly<Record<string, unknown>>; error?: string } = {};
  if (json.generic_attributes) extra.genericAttributes = json.generic_attributes;
  if (json.error) extra.error = json.error;
  return {
    name: safeName(json.name),
    type: json.type,
    mode: fromGoMode(json.mode ?? 0),
    mtimeNs,
    atimeNs: json.atime === json.mtime ? mtimeNs : timeOf(json.atime),
    ctimeNs: json.ctime === json.mtime ? mtimeNs : timeOf(json.ctime),
    ...ownerOf(json),
    inode: BigInt(json.inode ?? 0),
    deviceId: BigInt(json.device_id ?? 0),
    size: Number(json.size ?? 0),
    links: Number(json.links ?? 0),
    linkTarget: linkTargetOf(json),
    xattrs: xattrsOf(json),
    device: typeof json.device === 'string' ? BigInt(json.device) : (json.device ?? 0),
    content: json.content?.map(fromHex) ?? null,
    subtree: json.subtree ? fromHex(json.subtree) : null,
    ...extra,
  };
}

function ownerOf({ uid = 0, gid = 0, user = '', group = '' }: NodeJson) {
  return { uid, gid, user, group };
}

/** A missing time is Go's zero time. */
function timeOf(text: string = '0001-01-01T00:00:00Z'): bigint {
  return parseGoTime(text);
}

const UNSAFE_NAME = /^\.?\.?$|[/\0]/;

function safeName(text: string): Buffer {
  const name = unquoteName(text);
  if (UNSAFE_NAME.test(name.toString('latin1'))) {
    throw new AppError('REPOSITORY_DAMAGED', { reason: `a tree holds an item named ${JSON.stringify(text)}` });
  }
  return name;
}

function linkTargetOf(json: NodeJson): Buffer | null {
  if (json.linktarget_raw) return Buffer.from(json.linktarget_raw, 'base64');
  return json.linktarget ? Buffer.from(json.linktarget, 'utf8') : null;
}

function xattrsOf(json: NodeJson): ReadonlyMap<string, Uint8Array> | null {
  if (!json.extended_attributes || json.extended_attributes.length === 0) return null;
  return new Map(json.extended_attributes.map(({ name, value }) => [name, Buffer.from(value ?? '', 'base64')]));
}
