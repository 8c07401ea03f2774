/**
 * The way back from a tree blob to its items. Accepts any JSON that says the same, with fields unknown to us, in any
 * order; the order that restic and we write is the fast one. One pass over the bytes, since a backup reads the trees of
 * all files of the last one: JSON.parse, and making nodes of its objects, takes half as long again and rounds large
 * numbers.
 */
import { AppError } from '@backupx/contracts/errors';
import { ID_BYTES } from './blob-id.ts';
import { fromGoMode, type NodeType } from './go-file-mode.ts';
import { unquoteName } from './go-json.ts';
import { parseGoTime } from './go-time.ts';
import { JsonCursor } from './json-cursor.ts';
import type { TreeNode } from './tree-node.ts';

type Draft = { -readonly [K in keyof TreeNode]: TreeNode[K] };

/**
 * The items of a tree blob in its order. Throws REPOSITORY_DAMAGED when it is no tree, and also for a name that could
 * lead out of its folder: empty, `.`, `..`, with `/` or NUL.
 */
export function parseTree(json: Uint8Array): TreeNode[] {
  let nodes: TreeNode[] = [];
  for (const batch of treeBatches(json, Number.POSITIVE_INFINITY))
    nodes = nodes.length === 0 ? batch : nodes.concat(batch);
  return nodes;
}

/**
 * The same so many at a time, since nodes cost ten times their JSON. What is damaged shows when it is come to, and that
 * it is no tree at the end.
 */
export function* treeBatches(json: Uint8Array, nodesAtOnce = 1000): Generator<TreeNode[]> {
  const cursor = new JsonCursor(json, 'a tree');
  let nodes: TreeNode[] = [];
  let hasNodes = false;
  cursor.enterObject();
  while (cursor.nextField()) {
    if (!cursor.isText('nodes')) {
      cursor.skipValue();
      continue;
    }
    hasNodes = true;
    cursor.enterArray();
    while (cursor.nextItem()) {
      nodes.push(readNode(cursor));
      if (nodes.length < nodesAtOnce) continue;
      yield nodes;
      nodes = [];
    }
  }
  if (!hasNodes) throw cursor.damaged();
  cursor.end();
  if (nodes.length > 0) yield nodes;
}

/** In the order in which they are written. */
const FIELDS = [
  ...['name', 'type', 'mode', 'mtime', 'atime', 'ctime', 'uid', 'gid', 'user', 'group', 'inode', 'device_id', 'size'],
  ...['links', 'linktarget', 'linktarget_raw', 'extended_attributes', 'generic_attributes', 'device', 'content'],
  ...['subtree', 'error'],
];

/** A missing time is Go's zero time. */
const NO_TIME = parseGoTime('0001-01-01T00:00:00Z');
const NO_NAME = Buffer.alloc(0);

/**
 * The item that begins where the cursor stands. Every node gets the same fields in the same order, which keeps objects
 * small and their use fast.
 */
export function readNode(cursor: JsonCursor): TreeNode {
  const node: Draft = {
    name: NO_NAME,
    type: 'file',
    mode: 0,
    mtimeNs: NO_TIME,
    atimeNs: NO_TIME,
    ctimeNs: NO_TIME,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    size: 0,
    links: 0,
    linkTarget: null,
    xattrs: null,
    device: 0,
    content: null,
    subtree: null,
    genericAttributes: undefined,
    error: undefined,
  };
  let next = 0;
  cursor.enterObject();
  while (cursor.nextField()) {
    const field = findField(cursor, next);
    next = field + 1;
    readField(cursor, node, FIELDS[field] ?? '');
  }
  if (node.name === NO_NAME) throw cursor.damaged();
  return node;
}

/** Number of the field whose key was read last, looked for from `from` on; -1: unknown. */
function findField(cursor: JsonCursor, from: number): number {
  for (let field = from; field < FIELDS.length; field += 1) if (cursor.isText(FIELDS[field] ?? '')) return field;
  for (let field = 0; field < from; field += 1) if (cursor.isText(FIELDS[field] ?? '')) return field;
  return -1;
}

/** `null` means the same as leaving a field out; what is not known is passed over. */
function readField(cursor: JsonCursor, node: Draft, field: string): void {
  if (cursor.skipNull()) return;
  switch (field) {
    case 'name':
      node.name = readName(cursor);
      break;
    case 'type':
      node.type = readType(cursor);
      break;
    case 'mode':
      node.mode = fromGoMode(cursor.readCount());
      break;
    case 'mtime':
      node.mtimeNs = readTime(cursor);
      break;
    case 'atime':
      node.atimeNs = readTime(cursor);
      break;
    case 'ctime':
      node.ctimeNs = readTime(cursor);
      break;
    case 'uid':
      node.uid = cursor.readCount();
      break;
    case 'gid':
      node.gid = cursor.readCount();
      break;
    case 'content':
      node.content = readIds(cursor);
      break;
    case 'subtree':
      node.subtree = readId(cursor);
      break;
    default:
      readOptionalField(cursor, node, field);
  }
}

function readOptionalField(cursor: JsonCursor, node: Draft, field: string): void {
  switch (field) {
    case 'user':
      node.user = readOwner(cursor, 0);
      break;
    case 'group':
      node.group = readOwner(cursor, 1);
      break;
    case 'inode':
      node.inode = BigInt(cursor.readInteger());
      break;
    case 'device_id':
      node.deviceId = BigInt(cursor.readInteger());
      break;
    case 'size':
      node.size = Number(cursor.readInteger());
      break;
    case 'links':
      node.links = Number(cursor.readInteger());
      break;
    case 'device':
      node.device = cursor.readInteger();
      break;
    case 'error':
      node.error = readString(cursor) || undefined;
      break;
    case 'linktarget':
      node.linkTarget ??= bytesOf(readString(cursor), 'utf8');
      break;
    case 'linktarget_raw':
      node.linkTarget = bytesOf(readString(cursor), 'base64') ?? node.linkTarget;
      break;
    case 'extended_attributes':
      node.xattrs = readXattrs(cursor);
      break;
    case 'generic_attributes':
      node.genericAttributes = readAttributes(cursor);
      break;
    default:
      cursor.skipValue();
  }
}

function readString(cursor: JsonCursor): string {
  cursor.readText();
  return cursor.text();
}

/** Null for no bytes. */
function bytesOf(text: string, encoding: 'utf8' | 'base64'): Buffer | null {
  return text === '' ? null : Buffer.from(text, encoding);
}

function readName(cursor: JsonCursor): Buffer {
  cursor.readText();
  // What JSON need not escape Go's quoting did not escape either. A copy, so that no name holds on to its whole tree.
  const plain = cursor.bytes();
  const name = plain ? Buffer.from(plain) : unquoteName(cursor.text());
  if (isSafe(name)) return name;
  throw new AppError('REPOSITORY_DAMAGED', { reason: `a tree holds an item named ${JSON.stringify(cursor.text())}` });
}

const DOT = 0x2e;

function isSafe(name: Buffer): boolean {
  if (name.length === 0 || (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))))
    return false;
  for (let at = 0; at < name.length; at += 1) if (name[at] === 0 || name[at] === 0x2f) return false;
  return true;
}

const TYPES: readonly NodeType[] = ['file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket'];

function readType(cursor: JsonCursor): NodeType {
  cursor.readText();
  return TYPES.find((type) => cursor.isText(type)) ?? (cursor.text() as NodeType);
}

function readTime(cursor: JsonCursor): bigint {
  cursor.readText();
  return cursor.time();
}

/** Names of users and groups met last; neighbours mostly have the same. */
const lastOwners = ['', ''];

function readOwner(cursor: JsonCursor, slot: number): string {
  cursor.readText();
  const last = lastOwners[slot] ?? '';
  if (last !== '' && cursor.isText(last)) return last;
  const owner = cursor.text();
  lastOwners[slot] = owner;
  return owner;
}

function readId(cursor: JsonCursor): Buffer {
  const id = Buffer.allocUnsafe(ID_BYTES);
  cursor.readHex(id);
  return id;
}

function readIds(cursor: JsonCursor): Buffer[] {
  const ids: Buffer[] = [];
  cursor.enterArray();
  while (cursor.nextItem()) ids.push(readId(cursor));
  return ids;
}

function readXattrs(cursor: JsonCursor): ReadonlyMap<string, Uint8Array> | null {
  const xattrs = new Map<string, Uint8Array>();
  cursor.enterArray();
  while (cursor.nextItem()) {
    let name = '';
    let value = '';
    cursor.enterObject();
    while (cursor.nextField()) {
      if (cursor.isText('name')) name = readString(cursor);
      else if (!cursor.isText('value')) cursor.skipValue();
      else if (!cursor.skipNull()) value = readString(cursor);
    }
    xattrs.set(name, Buffer.from(value, 'base64'));
  }
  return xattrs.size > 0 ? xattrs : null;
}

function readAttributes(cursor: JsonCursor): Readonly<Record<string, unknown>> {
  const value = cursor.readValue();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw cursor.damaged();
  return { ...value };
}
