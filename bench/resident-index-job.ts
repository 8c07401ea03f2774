/**
 * Loads the index of a repository made by `synthetic-index.ts` and looks blobs up in it, in a process of its own.
 * Arguments: folder, what for, number of blobs. Prints `LoadFigures`; fails when the index does not say what was stored.
 */

import { systemClock } from '../packages/engine/src/ports/clock.ts';
import type { BlobIndex } from '../packages/engine/src/repository/blob-index.ts';
import { ID_BYTES } from '../packages/engine/src/repository/format/blob-id.ts';
import { unpackMasterKey } from '../packages/engine/src/repository/format/master-key.ts';
import { loadIndex } from '../packages/engine/src/repository/load-index.ts';
import { loadIndexFiles } from '../packages/engine/src/repository/maintenance/index-files.ts';
import { PackTable } from '../packages/engine/src/repository/maintenance/pack-table.ts';
import { openRepository, type Repository } from '../packages/engine/src/repository/open-repository.ts';
import { type IdKind, placeOf, placeOfRepository, syntheticIds } from './synthetic-index.ts';

/** What the index is loaded for. */
export const loadKinds = {
  backup: 'a backup or restore',
  maintenance: 'maintenance, with its table of packs',
} as const;

/** Bytes are those that came while it was loaded. */
export interface LoadFigures {
  readonly blobs: number;
  /** By its own count. */
  readonly indexBytes: number;
  readonly rssAfter: number;
  readonly rssPeak: number;
  /** User and system. */
  readonly loadCpuSeconds: number;
  /** By CPU seconds. */
  readonly lookUpsPerSecond: number;
}

const LOOK_UPS = 2_000_000;
const LOOK_UPS_AT_ONCE = 100_000;

if (import.meta.main) {
  const [folder = '', kind = '', blobs = '0'] = process.argv.slice(2);
  const { signal } = new AbortController();
  const masterKey = unpackMasterKey(process.env.BENCH_MASTER_KEY ?? '');
  const repository = await openRepository(placeOfRepository(folder), { masterKey }, signal);
  console.log(JSON.stringify(await measureLoad(repository, kind as keyof typeof loadKinds, Number(blobs))));
}

async function measureLoad(repository: Repository, kind: keyof typeof loadKinds, blobs: number): Promise<LoadFigures> {
  const { signal } = new AbortController();
  const before = process.memoryUsage.rss();
  const cpuBefore = process.cpuUsage();
  const work = { repository, signal, clock: systemClock };
  const index = kind === 'backup' ? await loadIndex(repository, { signal }) : (await loadIndexFiles(work)).index;
  const table = kind === 'backup' ? null : new PackTable(index);
  const loadCpuSeconds = cpuSecondsSince(cpuBefore);
  const rssAfter = process.memoryUsage.rss() - before;
  const rssPeak = process.resourceUsage().maxRSS * 1024 - before;
  if (index.count !== blobs || (table && table.redundant.size > 0)) throw new Error(`it has ${index.count} blobs`);
  const lookUpsPerSecond = lookUp(index, blobs);
  const memory = { indexBytes: index.memoryBytes, rssAfter, rssPeak };
  return { blobs, ...memory, loadCpuSeconds, lookUpsPerSecond };
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Half of them for blobs that are there, in no order. */
function lookUp(index: BlobIndex, blobs: number): number {
  let seconds = 0;
  for (let done = 0; done < LOOK_UPS; done += 2 * LOOK_UPS_AT_ONCE) {
    for (const kind of ['blob', 'unknown'] as const) {
      const numbers = Array.from({ length: LOOK_UPS_AT_ONCE }, (_, at) => scattered(done + at, blobs));
      const ids = idsOf(kind, numbers);
      const cpuBefore = process.cpuUsage();
      const entries = ids.map((id) => index.find(id));
      seconds += cpuSecondsSince(cpuBefore);
      for (const [at, entry] of entries.entries()) assertRight(index, { entry, kind, blob: numbers[at] ?? 0 });
    }
  }
  return LOOK_UPS / seconds;
}

function scattered(number: number, blobs: number): number {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0) % blobs;
}

function idsOf(kind: IdKind, numbers: readonly number[]): Buffer[] {
  const ids = syntheticIds(kind, numbers, numbers.length);
  return numbers.map((_, at) => ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES));
}

function assertRight(index: BlobIndex, { entry, kind, blob }: { entry: number; kind: IdKind; blob: number }): void {
  if (kind === 'unknown' ? entry < 0 : isRight(index, entry, blob)) return;
  throw new Error(`the index has a wrong entry for ${kind} ${blob}`);
}

function isRight(index: BlobIndex, entry: number, blob: number): boolean {
  if (entry < 0) return false;
  const { type, offset, storedLength, plainLength, pack } = placeOf(blob);
  const found = index.placeOf(entry);
  // Not of all: making an id takes much longer than looking one up.
  if (blob % 1009 === 0 && !syntheticIds('pack', [pack], 1).equals(index.packId(found.packNumber))) return false;
  return (
    found.type === type &&
    found.offset === offset &&
    found.storedLength === storedLength &&
    found.plainLength === plainLength
  );
}
