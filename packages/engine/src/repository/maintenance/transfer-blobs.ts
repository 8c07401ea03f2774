/**
 * Carries blobs from their packs to a pack writer; each is opened and compared with its id on the way, so that damage
 * is never carried on. Sealed bytes are taken over as they are when the key stays the same.
 */
import { AppError } from '@backupx/contracts/errors';
import type { BlobIndex } from '../blob-index.ts';
import type { BlobReader } from '../blob-reader.ts';
import { hashOf, toHex } from '../format/blob-id.ts';
import type { SealedBox } from '../format/sealed-box.ts';
import { compressOnce, decompress } from '../format/zstd.ts';
import { LARGE_TREE_BYTES, verifyOpened } from '../large-tree.ts';
import type { PackWriter, SealedBlob } from '../pack-writer.ts';
import { damageReason } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import { type PackWindow, readWindows, sealedIn } from './read-pack-blobs.ts';

export interface TransferOptions {
  /** Where the blobs come from. */
  readonly source: MaintenanceWork;
  readonly index: BlobIndex;
  readonly windows: Iterable<PackWindow>;
  readonly writer: PackWriter;
  /** Asked for another copy of a blob that is damaged; null: none is looked for. */
  readonly reader: Pick<BlobReader, 'read'> | null;
  /** Hears of a blob that cannot be had; without this the transfer throws REPOSITORY_DAMAGED. */
  readonly onLost?: (entry: number, reason: string) => void;
  /** Which failures of the storage to read something count as damage of that; left out: none, they are thrown. */
  readonly isDamage?: (error: unknown) => boolean;
  /** Makes the blob for the target out of what was opened; default: as it was. */
  readonly reseal?: Reseal;
  /** Hears of each blob that was handed to the writer. */
  readonly onBlob?: (entry: number, storedLength: number) => void;
}

/** What was opened of a blob. */
export interface OpenedBlob {
  readonly id: Uint8Array;
  readonly type: 'data' | 'tree';
  readonly sealed: Uint8Array;
  /** What sealing held: compressed when `plainLength` is not 0. */
  readonly opened: Buffer;
  readonly plainLength: number;
  /** The content; made when it is asked for where it is long. */
  plain(): Buffer;
}

export type Reseal = (blob: OpenedBlob) => SealedBlob;

/** Carries every entry of the windows over. */
export async function transferBlobs(options: TransferOptions): Promise<void> {
  const { source, index, writer } = options;
  const reseal = options.reseal ?? keepSealed(source.repository.box, source.repository.config.version);
  for await (const window of readWindows(source, options.windows)) {
    for (const entry of window.entries) {
      source.signal.throwIfAborted();
      const blob = await openOrFind(options, entry, () => {
        if (window.bytes === null) throw window.problem;
        return sealedIn(index, window, window.bytes, entry);
      });
      if (!blob) continue;
      const sealed = reseal(blob);
      await writer.add(sealed);
      options.onBlob?.(entry, sealed.sealed.byteLength);
    }
    source.onItem?.(window.packId);
  }
}

/** For the same repository: as it is, but trees are compressed where the format wants that. */
export function keepSealed(box: SealedBox, version: 1 | 2): Reseal {
  return (blob) => {
    if (blob.type === 'data' || blob.plainLength > 0 || version === 1) return blob;
    return sealCompressed(box, blob);
  };
}

/** For another repository: compressed as it was, sealed with the other key. */
export function sealForOther(box: SealedBox, version: 1 | 2): Reseal {
  return (blob) => {
    const { id, type, opened, plainLength } = blob;
    if (version === 1) return { id, type, plainLength: 0, sealed: box.seal(blob.plain()) };
    if (plainLength === 0) return sealCompressed(box, blob);
    return { id, type, plainLength, sealed: box.seal(opened) };
  };
}

/** Trees always compressed, data when it gains; nothing of no length. */
function sealCompressed(box: SealedBox, blob: OpenedBlob): SealedBlob {
  const { id, type } = blob;
  const plain = blob.plain();
  const frame = plain.byteLength > 0 ? compressOnce(plain) : plain;
  if (plain.byteLength === 0 || (type === 'data' && frame.byteLength >= plain.byteLength)) {
    return { id, type, plainLength: 0, sealed: box.seal(plain) };
  }
  return { id, type, plainLength: plain.byteLength, sealed: box.seal(frame) };
}

async function openOrFind(options: TransferOptions, entry: number, sealedOf: () => Buffer): Promise<OpenedBlob | null> {
  const { source, index, reader, isDamage = () => false } = options;
  const [id, type] = [index.idOf(entry), index.typeOf(entry)];
  const orThrow = (error: unknown) => {
    if (isPassing(error) && !isDamage(error)) throw error;
    return null;
  };
  try {
    return await openWhole(source.repository.box, {
      id,
      type,
      sealed: sealedOf(),
      plainLength: index.plainLengthOf(entry),
    });
  } catch (error) {
    orThrow(error);
    const reason = `${type} blob ${toHex(id)} in pack ${toHex(index.packId(index.packOf(entry)))}: ${damageReason(error)}`;
    const copy = await reader?.read(id, type).catch(orThrow);
    source.signal.throwIfAborted();
    if (copy) {
      const sealed = source.repository.box.seal(copy);
      return { id, type, opened: copy, plain: () => copy, plainLength: 0, sealed };
    }
    if (!options.onLost) throw new AppError('REPOSITORY_DAMAGED', { reason }, { cause: error });
    options.onLost(entry, reason);
    return null;
  }
}

type BlobBytes = Pick<OpenedBlob, 'id' | 'type' | 'sealed' | 'plainLength'>;

/** Opens and verifies. Throws REPOSITORY_DAMAGED. */
async function openWhole(box: SealedBox, blob: BlobBytes): Promise<OpenedBlob> {
  const { id, type, sealed, plainLength } = blob;
  const opened = box.open(sealed);
  if (type === 'tree' && plainLength > LARGE_TREE_BYTES) {
    await verifyOpened(opened, blob);
    return { ...{ id, type, sealed, opened, plainLength }, plain: () => decompress(opened, plainLength) };
  }
  const plain = plainLength > 0 ? decompress(opened, plainLength) : opened;
  if (!hashOf(plain).equals(id)) throw new AppError('REPOSITORY_DAMAGED', { reason: 'it is not what its name says' });
  return { id, type, sealed, opened, plainLength, plain: () => plain };
}

/** True when the storage may have the bytes after all: out of reach is not lost. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof AppError)) return true;
  return error.code !== 'REPOSITORY_DAMAGED' && error.code !== 'STORAGE_NOT_FOUND';
}

/** True when the storage was reached and could not read what it has, such as a bad sector. */
export function isUnread(error: unknown): boolean {
  return error instanceof AppError && error.code === 'STORAGE_FAILED';
}

/** True when that is so because the disk cannot read it; a server that fails now may have it whole. */
export function isBadSector(error: unknown): boolean {
  return isUnread(error) && ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EIO';
}
