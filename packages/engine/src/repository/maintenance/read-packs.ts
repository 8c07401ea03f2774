/**
 * Reads packs from end to end and verifies all of it: the pack against its name, each blob against its id, the header
 * against the index. A pack is read in parts of 16 MiB, a few ahead, so memory does not grow with the packs.
 */
import { createHash, type Hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { openBlob } from '../blob-reader.ts';
import { toHex } from '../format/blob-id.ts';
import { parsePackHeader } from '../format/pack-header.ts';
import { inOrder } from './in-order.ts';
import { damageReason } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import type { PackHealth } from './pack-health.ts';
import { isPassing } from './transfer-blobs.ts';

const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 3;

/** A range of a pack that begins where the last ended; the last one holds the header too. */
interface Part {
  readonly pack: number;
  readonly start: number;
  readonly end: number;
  readonly entries: readonly number[];
  readonly isLast: boolean;
}

interface ReadPart extends Part {
  readonly bytes: Buffer;
}

/** What was found in a pack. */
interface Findings {
  readonly bad: number[];
  readonly faults: string[];
}

/** Verifies the packs; what fails is read a second time before it counts. */
export async function verifyPacks(work: MaintenanceWork, health: PackHealth, packs: Iterable<number>): Promise<void> {
  const doubtful: number[] = [];
  await readAll(work, health, packs, (pack, { bad, faults }) => {
    if (bad.length + faults.length > 0) doubtful.push(pack);
  });
  await readAll(work, health, doubtful, (pack, findings) => {
    const { bad, faults } = findings;
    if (bad.length + faults.length === 0) {
      work.log?.('warn', `Pack ${health.table.hexOf(pack)} was damaged when read first, and whole the second time.`);
      return;
    }
    for (const entry of bad) health.bad.add(entry);
    const blobs = bad.length > 0 ? `Damaged blobs: ${health.namesOf(bad)}.` : 'All blobs in it are whole.';
    health.blame(pack, 'pack_damaged', [...faults.map((fault) => `${fault}.`), blobs].join(' '));
  });
}

async function readAll(
  work: MaintenanceWork,
  health: PackHealth,
  packs: Iterable<number>,
  onPack: (pack: number, findings: Findings) => void,
): Promise<void> {
  function* tasks() {
    for (const pack of packs) for (const part of partsOf(health, pack)) yield () => readPart(work, health, part);
  }
  let examination: Examination | null = null;
  for await (const part of inOrder(tasks(), PARTS_AT_ONCE)) {
    work.signal.throwIfAborted();
    examination ??= new Examination(work, health, part.pack);
    examination.take(part);
    if (!part.isLast) continue;
    onPack(part.pack, examination.finish());
    work.onItem?.(health.table.hexOf(part.pack));
    examination = null;
  }
}

/** Cuts a pack between blobs. Where blobs overlap, which they never should, parts are as large as that needs. */
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
  yield { pack, start, end: size, entries, isLast: true };
}

async function readPart(work: MaintenanceWork, { table }: PackHealth, part: Part): Promise<ReadPart> {
  const { start, end } = part;
  if (start >= end) return { ...part, bytes: Buffer.alloc(0) };
  try {
    const bytes = await work.repository.readPack(table.hexOf(part.pack), { start, end }, work.signal);
    work.onRead?.(bytes.byteLength);
    return { ...part, bytes };
  } catch (error) {
    work.signal.throwIfAborted();
    // Gone or unreadable there: as good as empty. That the storage is out of reach is no finding.
    const isGone = error instanceof AppError && ['STORAGE_NOT_FOUND', 'STORAGE_FAILED'].includes(error.code);
    if (!isGone) throw error;
    return { ...part, bytes: Buffer.alloc(0) };
  }
}

/** One pack on its way through the checks. */
class Examination {
  readonly #work: MaintenanceWork;
  readonly #health: PackHealth;
  readonly #pack: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #findings: Findings = { bad: [], faults: [] };
  #read = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(work: MaintenanceWork, health: PackHealth, pack: number) {
    this.#work = work;
    this.#health = health;
    this.#pack = pack;
  }

  take({ start, bytes, entries, isLast }: ReadPart): void {
    this.#hash.update(bytes);
    this.#read += bytes.byteLength;
    const { index } = this.#health;
    for (const entry of entries) {
      const at = index.offsetOf(entry) - start;
      const sealed = bytes.subarray(Math.max(0, at), Math.max(0, at + index.storedLengthOf(entry)));
      if (at < 0 || !this.#isBlob(entry, sealed)) this.#findings.bad.push(entry);
    }
    if (isLast) this.#tail = bytes;
  }

  finish(): Findings {
    const { table, stored } = this.#health;
    const { faults } = this.#findings;
    const size = stored.sizes[this.#pack] ?? 0;
    if (this.#read !== size) faults.push(`Only ${this.#read} of its ${size} bytes can be read`);
    else if (toHex(this.#hash.digest()) !== table.hexOf(this.#pack))
      faults.push('Its bytes are not what its name says');
    this.#compareHeader(size);
    return this.#findings;
  }

  #isBlob(entry: number, sealed: Buffer): boolean {
    const { index } = this.#health;
    const isCut = sealed.byteLength !== index.storedLengthOf(entry);
    if (isCut) return false;
    try {
      openBlob(this.#work.repository.box, { id: index.idOf(entry), sealed, plainLength: index.plainLengthOf(entry) });
      return true;
    } catch (error) {
      if (isPassing(error)) throw error;
      return false;
    }
  }

  #compareHeader(size: number): void {
    const { table, index } = this.#health;
    const { faults } = this.#findings;
    try {
      const header = parsePackHeader(this.#work.repository.box, this.#tail, size);
      const entries = [...table.entriesOf(this.#pack)];
      const isEqual =
        header.length === entries.length &&
        header.every((blob, at) => {
          const place = index.placeOf(entries[at] ?? 0);
          return (
            Buffer.compare(blob.id, place.id) === 0 &&
            blob.type === place.type &&
            blob.offset === place.offset &&
            blob.storedLength === place.storedLength &&
            blob.plainLength === place.plainLength
          );
        });
      if (!isEqual) faults.push('Its own list of blobs is not that of the index');
    } catch (error) {
      if (isPassing(error)) throw error;
      faults.push(`Its own list of blobs cannot be read (${damageReason(error)})`);
    }
  }
}
