/** Compares what the index says about packs with what is stored, without reading them. */
import { AppError } from '@backupx/contracts/errors';
import type { PackHealth } from './pack-health.ts';

/** Notes missing packs, wrong sizes, and lists of blobs that cannot be right. Answers packs that must be read to know more. */
export function checkPackSizes(health: PackHealth): number[] {
  const { table, stored, log } = health;
  const suspects: number[] = [];
  for (let pack = 0; pack < table.count; pack += 1) {
    const [size, expected] = [stored.sizes[pack] ?? -1, table.sizes[pack] ?? 0];
    const { blobs, trees, isContiguous } = lookThrough(health, pack);
    if (size < 0) {
      health.blame(pack, 'pack_missing', `The pack is missing; the index names ${blobs} blob(s) in it.`);
    } else if (size !== expected) {
      health.blame(pack, 'pack_wrong_size', `The pack has ${size} bytes; by the index it has ${expected}.`);
      suspects.push(pack);
    } else if (!isContiguous) {
      health.blame(pack, 'pack_damaged', 'By the index the blobs in the pack have gaps or overlap.');
      suspects.push(pack);
    }
    hintAtUntidiness(health, pack, trees > 0 && trees < blobs);
  }
  for (const { id, sizeBytes } of stored.unindexed) {
    const object = `data/${id.slice(0, 2)}/${id}`;
    log.add('hint', 'pack_unindexed', { object, message: `No index names the pack of ${sizeBytes} bytes.` });
  }
  return suspects;
}

interface PackList {
  readonly blobs: number;
  readonly trees: number;
  /** Each blob begins where the last ended. */
  readonly isContiguous: boolean;
}

/** What the index says about a pack, one blob after the other: a pack of small files has 100,000. */
function lookThrough({ table, index }: PackHealth, pack: number): PackList {
  let [blobs, trees, next, isContiguous] = [0, 0, 0, true];
  for (const entry of table.entriesOf(pack)) {
    blobs += 1;
    if (index.typeOf(entry) === 'tree') trees += 1;
    isContiguous &&= index.offsetOf(entry) === next;
    next += index.storedLengthOf(entry);
  }
  return { blobs, trees, isContiguous };
}

function hintAtUntidiness(health: PackHealth, pack: number, isMixed: boolean): void {
  const { table, log } = health;
  const object = health.pathOf(pack);
  if (table.isContradictory(pack)) {
    const message = `${table.mentions[pack]} places in the index say different things about the pack.`;
    log.add('hint', 'index_contradictory', { object, message });
  } else if (table.isNamedTwice(pack)) {
    log.add('hint', 'index_repeated', { object, message: 'The index names the pack or a blob in it more than once.' });
  }
  if (isMixed) {
    log.add('hint', 'pack_mixed', { object, message: 'The pack holds both folders and data.' });
  }
}

/** Which packs are read in full: everything, nothing, or the nth share of `of`; after all shares everything was read. */
export type ReadScope = 'structure' | 'all' | { readonly n: number; readonly of: number };

/** Whether a pack belongs to what is read. Throws INVALID_INPUT for a share that does not exist. */
export function createPackFilter(read: ReadScope): (id: Uint8Array) => boolean {
  if (read === 'structure') return () => false;
  if (read === 'all') return () => true;
  const { n, of } = read;
  if (n > of) {
    const message = `There is no part ${n} of ${of}.`;
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: 'read.n', code: 'too_big', message }] });
  }
  // Ids are hashes, so any four bytes of them share the packs out evenly, always in the same way.
  return (id) => Buffer.from(id.buffer, id.byteOffset, id.byteLength).readUInt32BE(0) % of === n - 1;
}
