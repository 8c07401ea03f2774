/**
 * Follows the log of a server for ever: PostgreSQL's own program receives it into the spool, through a replication slot
 * that makes the server keep what has not come, and each segment goes into the archive as soon as it is whole. Where to
 * go on is told by the spool and, when that is lost, by the archive; so it does not matter how one of them ended.
 */
import { AppError } from '@backupx/contracts/errors';
import { followTool } from '../../direct-storage/follow-tool.ts';
import type { Clock } from '../../ports/clock.ts';
import { describeEnd, startTool, type ToolEnd } from '../../ports/processes.ts';
import { sortContents } from '../archive-contents.ts';
import type { WalArchiveStore } from '../wal-archive-store.ts';
import type { ReceiverServer } from './receiver-server.ts';
import type { Spool } from './spool.ts';
import { Arrivals } from './store-arrivals.ts';

export interface ReceiveOptions {
  readonly archive: WalArchiveStore;
  readonly server: ReceiverServer;
  readonly spool: Spool;
  /** What the spool may hold; then nothing more is received until the storage has taken it. */
  readonly spoolLimitBytes: number;
  /** Time to archive one segment. */
  readonly secondsForFile: number;
  /** When the server no longer has what comes next, go on with what it has. */
  readonly isGapAccepted: boolean;
  /** Ends the receiving; what has arrived is archived before it ends. */
  readonly stop: AbortSignal;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  log(message: string): void;
}

const POLL_MS = 300;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** Ends when it is told to. Throws WAL_…, DATABASE_… and what is wrong for good with the storage. */
export async function receiveWal(options: ReceiveOptions): Promise<void> {
  const { stop, clock, log, server } = options;
  await findStart(options);
  const arrivals = new Arrivals(options);
  log(`Receiving the log of ${server.label} by ${server.program}.`);
  let pauseMs = FIRST_PAUSE_MS;
  while (!stop.aborted) {
    await untilThereIsRoom(options, arrivals);
    if (stop.aborted) break;
    const began = newest(options.spool);
    const end = await follow(options, arrivals);
    if (end === null) continue;
    const failure = await server.lastingFailure(end, options.signal);
    if (failure?.code === 'WAL_GAP' && options.isGapAccepted) {
      log(`${failure.message} It is accepted.`);
      await skipGap(options, arrivals);
      continue;
    }
    if (failure) throw failure;
    if (newest(options.spool) !== began) pauseMs = FIRST_PAUSE_MS;
    log(`${server.label}: ${describeEnd(end)}. Going on in ${pauseMs / 1000} s.`);
    await clock.sleep(pauseMs, stop).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
  const isStored = await arrivals.store();
  if (isStored) await arrivals.storePartials();
  else log('Stopped. What the storage did not take stays in the spool and is archived by the next start.');
}

/** A spool that was lost must not become a gap: the archive knows what came last. */
async function findStart({ archive, spool, signal, log }: ReceiveOptions): Promise<void> {
  if (!spool.isEmpty()) return;
  const [cluster] = await archive.clusters(signal);
  if (!cluster) return;
  const { timelines } = sortContents(await archive.list(signal), cluster.segmentBytes);
  const last = timelines.at(-1)?.segments.at(-1);
  if (!last) return;
  spool.standIn(last.name, cluster.segmentBytes);
  log(`The spool is empty. Going on after ${last.name}, the newest in the archive.`);
}

/**
 * The spool tells where to go on, and so may the slot; both must forget it. The beginning of the segment that is lost is
 * the last there will ever be of it.
 */
async function skipGap({ spool, server, stop, signal, clock }: ReceiveOptions, arrivals: Arrivals): Promise<void> {
  while (!((await arrivals.store()) && (await arrivals.storePartials()))) {
    if (stop.aborted) return;
    await clock.sleep(FIRST_PAUSE_MS, stop).catch(() => {});
  }
  for (const name of [...spool.segments(), ...spool.partials()]) spool.remove(name);
  await server.dropSlot(signal);
  await server.createSlot(signal);
}

/** One run of the program. Null: it was stopped, by us or for want of room. */
async function follow(options: ReceiveOptions, arrivals: Arrivals): Promise<ToolEnd | null> {
  const { server, spool, stop, signal, clock } = options;
  return await followTool(startTool(server.receiveCommand(spool.path), signal), {
    ...{ stop, clock, pollMs: POLL_MS, isFull: () => isFull(options) },
    step: async () => {
      await arrivals.store();
      return true;
    },
  });
}

async function untilThereIsRoom(options: ReceiveOptions, arrivals: Arrivals): Promise<void> {
  const { spool, spoolLimitBytes, stop, clock, log, server } = options;
  if (!isFull(options)) return;
  log(
    `ALARM: the spool holds ${spool.sizeBytes()} of ${spoolLimitBytes} bytes. Nothing is received until the storage takes them; meanwhile the log fills the disk of ${server.label}.`,
  );
  while (!stop.aborted && !(await arrivals.store())) {
    await clock.sleep(FIRST_PAUSE_MS, stop).catch(() => {});
  }
  if (!stop.aborted && isFull(options)) {
    const message = 'is too small for two segments of the log and what is being received';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--spool-limit', code: 'invalid', message }] });
  }
}

function isFull({ spool, spoolLimitBytes }: ReceiveOptions): boolean {
  return spool.sizeBytes() > spoolLimitBytes;
}

function newest(spool: Spool): string {
  return [...spool.segments(), ...spool.partials()].sort().at(-1) ?? '';
}
