/**
 * Reads packs from end to end and verifies all of it: the pack against its name, each blob against its id, the header
 * against the index. A pack is read in parts of 16 MiB, a few ahead, so memory does not grow with the packs.
 */
import { createHash, type Hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { toHex } from '../format/blob-id.ts';
import { headerBytesAtEnd, type PackEntry, parsePackHeader } from '../format/pack-header.ts';
import { inOrder } from './in-order.ts';
import { damageReason } from './index-files.ts';
import type { MaintenanceWork } from './maintenance-work.ts';
import type { PackHealth } from './pack-health.ts';
import { isPassing } from './transfer-blobs.ts';
import { type BlobVerifier, createLocalVerifier, createThreadVerifier } from './verify-blobs.ts';

const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 3;
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
  readonly bytes: Buffer;
}

/** What was found in a pack. */
interface Findings {
  readonly bad: readonly number[];
  readonly faults: readonly string[];
}

/** Verifies the packs; what fails is read a second time before it counts. */
export async function verifyPacks(work: MaintenanceWork, health: PackHealth, packs: Iterable<number>): Promise<void> {
  const chosen = [...packs];
  const bytes = chosen.reduce((sum, pack) => sum + (health.stored.sizes[pack] ?? 0), 0);
  if (bytes > 0) work.onTotals?.({ items: chosen.length, bytes });
  const options = { repository: work.repository, index: health.index, threads: work.threads ?? 1 };
  const isMuch = bytes >= MIN_BYTES_FOR_THREADS && options.threads > 1;
  const verifier = isMuch ? createThreadVerifier(options) : createLocalVerifier(options);
  try {
    const doubtful = await readAll({ work, health, verifier }, chosen, () => {});
    await readAll({ work, health, verifier }, doubtful.sort(ascending), (pack, findings) => {
      if (findings === null)
        work.log?.('warn', `Pack ${health.table.hexOf(pack)} was damaged when read first, whole when read again.`);
      else note(health, pack, findings);
    });
  } finally {
    await verifier.close();
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
  readonly work: MaintenanceWork;
  readonly health: PackHealth;
  readonly verifier: BlobVerifier;
}

/** Answers the packs in which something was found; `onPack` hears of each, with null when there was nothing. */
async function readAll(
  reading: Reading,
  packs: readonly number[],
  onPack: (pack: number, findings: Findings | null) => void,
): Promise<number[]> {
  const { work, health } = reading;
  function* tasks() {
    for (const pack of packs) for (const part of partsOf(health, pack)) yield () => readPart(work, health, part);
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
  for await (const part of inOrder(tasks(), PARTS_AT_ONCE)) {
    work.signal.throwIfAborted();
    if (failure !== null) throw failure;
    examination ??= new Examination(reading, part.pack);
    await examination.take(part);
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
  readonly pack: number;
  readonly #reading: Reading;
  readonly #hash: Hash = createHash('sha256');
  readonly #verifying: Promise<number[]>[] = [];
  #read = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(reading: Reading, pack: number) {
    this.#reading = reading;
    this.pack = pack;
  }

  async take(part: ReadPart): Promise<void> {
    const { bytes, isLast } = part;
    const { done } = await this.#reading.verifier.begin(part);
    done.catch(() => {});
    this.#verifying.push(done);
    this.#hash.update(bytes);
    this.#read += bytes.byteLength;
    // A copy of the end alone, so that the pack itself need not be kept meanwhile.
    if (isLast) this.#tail = Buffer.from(bytes.subarray(Math.max(0, bytes.byteLength - this.#headerBytes(bytes))));
  }

  /** Null: all is as it should be. */
  async finish(): Promise<Findings | null> {
    const { table, stored } = this.#reading.health;
    const faults: string[] = [];
    const size = stored.sizes[this.pack] ?? 0;
    if (this.#read !== size) faults.push(`Only ${this.#read} of its ${size} bytes can be read`);
    else if (toHex(this.#hash.digest()) !== table.hexOf(this.pack)) faults.push('Its bytes are not what its name says');
    const headerFault = this.#headerFault(size);
    if (headerFault !== null) faults.push(headerFault);
    const bad = (await Promise.all(this.#verifying)).flat();
    return bad.length + faults.length > 0 ? { bad, faults } : null;
  }

  #headerBytes(bytes: Buffer): number {
    try {
      return headerBytesAtEnd(bytes, this.#reading.health.stored.sizes[this.pack] ?? 0);
    } catch {
      return bytes.byteLength;
    }
  }

  #headerFault(size: number): string | null {
    const { table, index } = this.#reading.health;
    try {
      const header = parsePackHeader(this.#reading.work.repository.box, this.#tail, size);
      const places = Array.from(table.entriesOf(this.pack), (entry) => index.placeOf(entry));
      const isEqual = header.length === places.length && header.every((blob, at) => isSameBlob(blob, places[at]));
      return isEqual ? null : 'Its own list of blobs is not that of the index';
    } catch (error) {
      if (isPassing(error)) throw error;
      return `Its own list of blobs cannot be read (${damageReason(error)})`;
    }
  }
}

function isSameBlob(a: PackEntry, b: PackEntry | undefined): boolean {
  return (
    b !== undefined &&
    Buffer.compare(a.id, b.id) === 0 &&
    a.type === b.type &&
    a.offset === b.offset &&
    a.storedLength === b.storedLength &&
    a.plainLength === b.plainLength
  );
}
