/**
 * Reads packs from end to end and verifies all of it: the pack against its name, each blob against its id, the header
 * against the index. A pack is read in parts of 4 MiB, a few ahead, each into memory that the next one uses again; so
 * memory does not grow with the packs, nor with the number of blobs in them.
 */
import { createHash, type Hash } from 'node:crypto';
import type { BlobIndex } from '../blob-index.ts';
import { fetchRange } from '../fetch-range.ts';
import { toHex } from '../format/blob-id.ts';
import { type PackEntry, packHeaderEntries } from '../format/pack-header.ts';
import { ScratchMemory } from '../scratch-memory.ts';
import { inOrder } from './in-order.ts';
import { damageReason } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import type { PackHealth } from './pack-health.ts';
import { isPassing, isUnread } from './transfer-blobs.ts';
import {
  type BlobVerifier,
  createLocalVerifier,
  createThreadVerifier,
  MAX_SLOT_PART_BYTES,
  PARTS_AHEAD,
  type PartRoom,
} from './verify-blobs.ts';

/** Of more than one blob: where chunks are large, a part is one of them. */
const PART_BYTES = 4 * 1024 * 1024;
/** Less than that is verified before threads are up. */
const MIN_BYTES_FOR_THREADS = 64 * 1024 * 1024;

/** A range of a pack that begins where the last ended; the last one holds the header too. */
interface Part {
  readonly pack: number;
  readonly start: number;
  readonly end: number;
  readonly entries: readonly number[];
  readonly isLast: boolean;
}

interface ReadPart extends Part {
  readonly bytes: Uint8Array;
  readonly room: PartRoom;
}

/** What was found in a pack. */
interface Findings {
  readonly bad: readonly number[];
  readonly faults: readonly string[];
}

export interface VerifyWork extends MaintenanceWork {
  /** Which failures of the storage to read something count as damage of that, others are thrown; default: `isUnread`. */
  readonly isDamage?: (error: unknown) => boolean;
}

/** Verifies the packs; what fails is read a second time before it counts. */
export async function verifyPacks(work: VerifyWork, health: PackHealth, packs: Iterable<number>): Promise<void> {
  const chosen = [...packs];
  const bytes = chosen.reduce((sum, pack) => sum + (health.stored.sizes[pack] ?? 0), 0);
  if (bytes > 0) work.onTotals?.({ items: chosen.length, bytes });
  const options = { repository: work.repository, index: health.index, threads: work.threads ?? 1 };
  const isMuch = bytes >= MIN_BYTES_FOR_THREADS && options.threads > 1;
  const verifier = isMuch ? createThreadVerifier(options) : createLocalVerifier(options);
  const reading = { work, health, verifier, headers: new ScratchMemory() };
  try {
    const doubtful = await readAll(reading, chosen, () => {});
    await readAll(reading, doubtful.sort(ascending), (pack, findings) => {
      if (findings === null)
        work.log?.('warn', `Pack ${health.table.hexOf(pack)} was damaged when read first, whole when read again.`);
      else note(health, pack, findings);
    });
  } finally {
    await verifier.close();
    reading.headers.free();
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}

function note(health: PackHealth, pack: number, { bad, faults }: Findings): void {
  for (const entry of bad) health.bad.add(entry);
  const blobs = bad.length > 0 ? `Damaged blobs: ${health.namesOf(bad)}.` : 'All blobs in it are whole.';
  health.blame(pack, 'pack_damaged', [...faults.map((fault) => `${fault}.`), blobs].join(' '));
}

interface Reading {
  readonly work: VerifyWork;
  readonly health: PackHealth;
  readonly verifier: BlobVerifier;
  /** Where what packs say about themselves is opened. */
  readonly headers: ScratchMemory;
}

/** Answers the packs in which something was found; `onPack` hears of each, with null when there was nothing. */
async function readAll(
  reading: Reading,
  packs: readonly number[],
  onPack: (pack: number, findings: Findings | null) => void,
): Promise<number[]> {
  const { work, health } = reading;
  function* tasks() {
    for (const pack of packs) for (const part of partsOf(health, pack)) yield () => readPart(reading, part);
  }
  const suspicious: number[] = [];
  const finishing = new Set<Promise<void>>();
  let failure: unknown = null;
  const finish = async (examination: Examination) => {
    const findings = await examination.finish();
    if (findings) suspicious.push(examination.pack);
    onPack(examination.pack, findings);
    work.onItem?.(health.table.hexOf(examination.pack));
  };
  let examination: Examination | null = null;
  for await (const part of inOrder(tasks(), PARTS_AHEAD)) {
    work.signal.throwIfAborted();
    if (failure !== null) throw failure;
    examination ??= new Examination(reading, part.pack);
    examination.take(part);
    if (!part.isLast) continue;
    const task: Promise<void> = finish(examination)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => finishing.delete(task));
    finishing.add(task);
    examination = null;
  }
  await Promise.all(finishing);
  if (failure !== null) throw failure;
  return suspicious;
}

/**
 * Cuts a pack between blobs, and behind the last when there is no room for the header. Where blobs overlap, which they
 * never should, parts are as large as that needs.
 */
function* partsOf({ table, stored }: PackHealth, pack: number): Generator<Part> {
  const size = stored.sizes[pack] ?? -1;
  if (size < 0) return;
  let [start, end] = [0, 0];
  let entries: number[] = [];
  for (const entry of table.entriesOf(pack)) {
    const offset = table.index.offsetOf(entry);
    const entryEnd = offset + table.index.storedLengthOf(entry);
    if (entries.length > 0 && entryEnd - start > PART_BYTES && offset >= end) {
      const cut = Math.min(end, size);
      yield { pack, start, end: cut, entries, isLast: false };
      start = cut;
      entries = [];
    }
    entries.push(entry);
    end = Math.max(end, entryEnd);
  }
  if (size - start > MAX_SLOT_PART_BYTES && end > start && end < size) {
    yield { pack, start, end, entries, isLast: false };
    start = end;
    entries = [];
  }
  // More than any header: something was put behind the pack.
  for (; end < size && size - start > 2 * MAX_SLOT_PART_BYTES; start += MAX_SLOT_PART_BYTES)
    yield { pack, start, end: start + MAX_SLOT_PART_BYTES, entries: [], isLast: false };
  yield { pack, start, end: size, entries, isLast: true };
}

async function readPart({ work, health, verifier }: Reading, part: Part): Promise<ReadPart> {
  const { repository, signal } = work;
  const { pack, start, end } = part;
  const room = await verifier.takeRoom(Math.max(0, end - start));
  let count = 0;
  try {
    const range = { key: repository.key('data', health.table.hexOf(pack)), start, end };
    if (start < end) count = await fetchRange(repository.place.storage, range, room.bytes, signal);
    work.onRead?.(count);
  } catch (error) {
    // Gone or unreadable there: as good as empty. That the storage is out of reach is no finding.
    const isGone = !isPassing(error) || (work.isDamage ?? isUnread)(error);
    if (signal.aborted || !isGone) verifier.giveRoom(room);
    signal.throwIfAborted();
    if (!isGone) throw error;
  }
  return { ...part, room, bytes: room.bytes.subarray(0, count) };
}

/** One pack on its way through the checks. */
class Examination {
  readonly pack: number;
  readonly #reading: Reading;
  readonly #hash: Hash = createHash('sha256');
  readonly #verifying: Promise<number[]>[] = [];
  #read = 0;
  #headerFault: string | null = null;

  constructor(reading: Reading, pack: number) {
    this.#reading = reading;
    this.pack = pack;
  }

  /** Uses the part before it returns, but for the verifying of blobs, which goes on until `finish`. */
  take(part: ReadPart): void {
    const { verifier } = this.#reading;
    const { bytes, isLast } = part;
    const verifying = verifier.verify(part);
    // Given back in a later turn at the earliest.
    const done = verifying.finally(() => verifier.giveRoom(part.room));
    done.catch(() => {});
    this.#verifying.push(done);
    this.#hash.update(bytes);
    this.#read += bytes.byteLength;
    if (isLast) this.#headerFault = this.#findHeaderFault(bytes);
  }

  /** Null: all is as it should be. */
  async finish(): Promise<Findings | null> {
    const { table, stored } = this.#reading.health;
    const faults: string[] = [];
    const size = stored.sizes[this.pack] ?? 0;
    if (this.#read !== size) faults.push(`Only ${this.#read} of its ${size} bytes can be read`);
    else if (toHex(this.#hash.digest()) !== table.hexOf(this.pack)) faults.push('Its bytes are not what its name says');
    if (this.#headerFault !== null) faults.push(this.#headerFault);
    const bad = (await Promise.all(this.#verifying)).flat();
    return bad.length + faults.length > 0 ? { bad, faults } : null;
  }

  /** `bytes`: the end of the pack. */
  #findHeaderFault(bytes: Uint8Array): string | null {
    const { health, work, headers } = this.#reading;
    const { table, index, stored } = health;
    const options = { packSize: stored.sizes[this.pack] ?? 0, memory: headers };
    try {
      const places = table.entriesOf(this.pack);
      let isEqual = true;
      for (const blob of packHeaderEntries(work.repository.box, bytes, options)) {
        const { value: entry } = places.next();
        isEqual &&= entry !== undefined && isBlobAt(index, entry, blob);
      }
      isEqual &&= places.next().done === true;
      return isEqual ? null : 'Its own list of blobs is not that of the index';
    } catch (error) {
      if (isPassing(error)) throw error;
      return `Its own list of blobs cannot be read (${damageReason(error)})`;
    }
  }
}

function isBlobAt(index: BlobIndex, entry: number, blob: PackEntry): boolean {
  return (
    Buffer.compare(index.idOf(entry), blob.id) === 0 &&
    index.typeOf(entry) === blob.type &&
    index.offsetOf(entry) === blob.offset &&
    index.storedLengthOf(entry) === blob.storedLength &&
    index.plainLengthOf(entry) === blob.plainLength
  );
}
