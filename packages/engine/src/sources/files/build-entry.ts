import { type BigIntStats, readlinkSync } from 'node:fs';
import { displayPath } from '../../ports/display-path.ts';
import type { BackupContext, EntryContent, EntryType, ItemIdentity, SourceEntry } from '../../ports/source.ts';
import { type BytePath, toBytes } from './byte-paths.ts';
import { isMissing, reasonOf } from './errno.ts';
import { createXattrReader, type XattrModule, type XattrReader, xattrReason } from './extended-attributes.ts';
import { openContent, ReplacedError } from './open-content.ts';
import { type OwnerNames, readOwnerNames } from './owner-names.ts';
import type { FoundItem } from './walk-tree.ts';

/** What the building of entries remembers during one run. */
export interface EntryBuilder {
  /** The entry of one item; null when it is left out (a socket, or a problem was reported). */
  build(item: FoundItem): SourceEntry | null;
  readonly counts: { sockets: number; readFiles: number; failedFiles: number };
  readonly xattrs: XattrReader;
}

/** What the building of entries needs of a run. */
type BuilderContext = Pick<BackupContext, 'problem' | 'isUnchanged' | 'wantsSegments' | 'wantsLinkAttributes'>;

interface BuilderState {
  readonly context: BuilderContext;
  readonly owners: OwnerNames;
  readonly xattrs: XattrReader;
  readonly links: HardLinks;
  readonly counts: EntryBuilder['counts'];
  /** What could not be read of the attributes of the item at hand, the last of it; `''`: nothing. */
  readonly refused: { message: string };
}

/** `xattrModule`: another than the native one. */
export function createEntryBuilder(context: BuilderContext, xattrModule?: XattrModule): EntryBuilder {
  const counts = { sockets: 0, readFiles: 0, failedFiles: 0 };
  const refused = { message: '' };
  const xattrs = createXattrReader(({ path, name, reason }) => {
    refused.message = `its extended attribute ${name} could not be read: ${reason}`;
    context.problem({ path: displayPath(Buffer.from(path)), code: 'metadata', message: refused.message });
  }, xattrModule);
  const owners = readOwnerNames();
  const state: BuilderState = { context, owners, xattrs, links: createHardLinks(), counts, refused };
  return { build: (item) => buildEntry(item, state), counts, xattrs };
}

/** First names of files with several; a name is forgotten when all of them were seen, so memory stays small. */
interface HardLinks {
  firstName(item: FoundItem): BytePath | null;
  remember(item: FoundItem): void;
}

export function createHardLinks(): HardLinks {
  const known = new Map<string, { path: BytePath; left: number }>();
  const keyOf = (stats: BigIntStats) => `${stats.dev}:${stats.ino}`;
  return {
    firstName({ stats }) {
      if (stats.nlink < 2n) return null;
      const key = keyOf(stats);
      const found = known.get(key);
      if (!found) return null;
      found.left -= 1;
      if (found.left <= 0) known.delete(key);
      return found.path;
    },
    remember({ path, stats }) {
      if (stats.nlink > 1n) known.set(keyOf(stats), { path, left: Number(stats.nlink) - 1 });
    },
  };
}

/** What a tar archive can hold; null: a socket, or something unknown. */
export function entryTypeOf(stats: BigIntStats): EntryType | null {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'char_device';
  if (stats.isBlockDevice()) return 'block_device';
  return null;
}

function buildEntry(item: FoundItem, state: BuilderState): SourceEntry | null {
  const type = entryTypeOf(item.stats);
  if (type === null) {
    state.counts.sockets += 1;
    return null;
  }
  try {
    if (type === 'symlink') {
      return metadataEntry(item, type, state, { linkTarget: readlinkSync(item.bytes, 'buffer') });
    }
    if (type !== 'file') return metadataEntry(item, type, state);
    return fileEntry(item, state);
  } catch (error) {
    if (type === 'file') state.counts.failedFiles += 1;
    reportUnreadable(item.path, error, state.context);
    return null;
  }
}

function fileEntry(item: FoundItem, state: BuilderState): SourceEntry {
  const firstName = state.links.firstName(item);
  if (firstName !== null) return metadataEntry(item, 'hardlink', state, { linkTarget: toBytes(firstName) });
  const known = isKnown(item, state.context);
  const content = known ? null : openListed(item, state.context);
  try {
    const entry = metadataEntry(item, 'file', state, { content, isUnchanged: known === true });
    state.links.remember(item);
    state.counts.readFiles += 1;
    return entry;
  } catch (error) {
    content?.close();
    throw error;
  }
}

function isKnown({ bytes, stats }: FoundItem, context: BuilderContext): boolean | 'content' {
  if (!context.isUnchanged) return false;
  return context.isUnchanged({ path: bytes, modifiedAtNs: stats.mtimeNs, identity: identityOf(stats) });
}

function openListed({ path, stats }: FoundItem, context: BuilderContext) {
  return openContent(path, stats, {
    wantsSegments: context.wantsSegments !== false,
    onChanged: () =>
      context.problem({
        path: displayPath(toBytes(path)),
        code: 'changed',
        message: 'it was changed while it was read; the stored copy may be a mixture',
      }),
  });
}

/** As listed, before the content is read: what changes during the reading differs from it the next time. */
function identityOf(stats: BigIntStats): ItemIdentity {
  return {
    inode: stats.ino,
    device: stats.dev,
    linkCount: Number(stats.nlink),
    sizeBytes: stats.size,
    accessedAtNs: stats.atimeNs,
    changedAtNs: stats.ctimeNs,
  };
}

interface EntryParts {
  readonly linkTarget?: Uint8Array;
  readonly content?: EntryContent | null;
  readonly isUnchanged?: boolean;
}

function wantsXattrs(type: EntryType, { context }: BuilderState, parts?: EntryParts): boolean {
  if (parts?.isUnchanged) return false;
  return type !== 'hardlink' || context.wantsLinkAttributes === true;
}

function metadataEntry(
  { path, bytes, stats }: FoundItem,
  type: EntryType,
  state: BuilderState,
  parts?: EntryParts,
): SourceEntry {
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  const isDevice = type === 'char_device' || type === 'block_device';
  const { refused } = state;
  refused.message = '';
  const xattrs = wantsXattrs(type, state, parts) ? readXattrs(path, stats, state) : null;
  return {
    path: bytes,
    type,
    mode: Number(stats.mode) & 0o7777,
    uid,
    gid,
    userName: state.owners.userName(uid),
    groupName: state.owners.groupName(gid),
    modifiedAtNs: stats.mtimeNs,
    linkTarget: parts?.linkTarget ?? null,
    deviceMajor: isDevice ? majorOf(stats.rdev) : 0,
    deviceMinor: isDevice ? minorOf(stats.rdev) : 0,
    xattrs,
    ...(refused.message === '' ? null : { metadataError: refused.message }),
    content: parts?.content ?? null,
    identity: identityOf(stats),
  };
}

function readXattrs(path: BytePath, stats: BigIntStats, state: BuilderState): SourceEntry['xattrs'] {
  const { unreadCount } = state.xattrs;
  try {
    const found = state.xattrs.read(path, stats.dev);
    if (state.xattrs.unreadCount > unreadCount) state.refused.message ||= 'not all of its attributes could be read';
    return found;
  } catch (error) {
    state.refused.message = `its extended attributes could not be read: ${xattrReason(error)}`;
    const { message } = state.refused;
    state.context.problem({ path: displayPath(toBytes(path)), code: 'metadata', message });
    return null;
  }
}

function reportUnreadable(path: BytePath, error: unknown, context: BuilderContext): void {
  const shown = displayPath(toBytes(path));
  if (error instanceof ReplacedError || isMissing(error)) {
    context.problem({ path: shown, code: 'vanished', message: 'it was gone or replaced when its turn came' });
  } else context.problem({ path: shown, code: 'unreadable', message: reasonOf(error) });
}

/** Device numbers as Linux packs them: https://man7.org/linux/man-pages/man3/makedev.3.html (glibc's layout). */
function majorOf(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
