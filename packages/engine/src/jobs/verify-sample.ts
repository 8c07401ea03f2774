/**
 * A sample of files that is really restored, into a scratch folder that is removed again, and compared with what the
 * artifact says: all of them when they are few, else the largest ones and random ones.
 */
import { createHash, randomInt } from 'node:crypto';
import { closeSync, lstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { ItemProblem, VerifyCheck } from '@backupx/contracts/jobs';
import { displayPath } from '../ports/display-path.ts';
import type { DataSegment, RestoreEntry, RestoreSession, SourceDriver } from '../ports/source.ts';
import type { JobContext } from './job-context.ts';
import { parseConfig } from './parse-settings.ts';
import { megabytes } from './verify-findings.ts';

const MAX_FILES = 200;
const MAX_LARGEST = 8;
const MAX_BYTES = 512 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** Times are set as seconds in floating point, so single nanoseconds get lost. */
const TIME_STEP_NS = 2000n;

/** Stretches of a file (null: all of it) and the hash of what is in them, one after the other. */
export interface ExpectedContent {
  readonly segments: readonly DataSegment[] | null;
  readonly sha256: string;
}

type SampledItem = Pick<RestoreEntry, 'path' | 'type' | 'mode' | 'modifiedAtNs' | 'sizeBytes'>;

interface Candidate {
  readonly item: SampledItem;
  readonly content: readonly ExpectedContent[];
  readonly priority: number;
}

export interface SampleChooser {
  /** Asked for each item in turn; for one that is wanted `offer` must follow. */
  wants(item: SampledItem): boolean;
  offer(item: SampledItem, content: readonly ExpectedContent[]): void;
  /** Restores what was chosen through `write` and adds what came of it to `checks`. */
  restore(
    checks: VerifyCheck[],
    write: (session: RestoreSession, sample: RestoreParts) => Promise<void>,
    powers?: { readonly isVerified?: boolean },
  ): Promise<void>;
}

/** What a restore of the sample needs. */
export interface RestoreParts {
  /** Display paths. */
  readonly paths: readonly string[];
  problem(problem: ItemProblem): void;
}

/** `seed` left out: another sample each time, so that in the end all is looked at. */
export function createSampleChooser(
  driver: SourceDriver,
  context: JobContext,
  seed = randomInt(2 ** 31),
): SampleChooser {
  const random = seededRandom(seed);
  const largest: Candidate[] = [];
  const others: Candidate[] = [];
  let priority = 0;
  let fileCount = 0;

  return {
    wants(item) {
      if (item.type !== 'file') return false;
      fileCount += 1;
      priority = random();
      const smallest = largest.at(-1);
      const last = others.at(-1);
      const isLarge = largest.length < MAX_LARGEST || item.sizeBytes > (smallest?.item.sizeBytes ?? 0);
      return isLarge || others.length < MAX_FILES || priority < (last?.priority ?? 1);
    },
    offer(item, content) {
      const candidate = { item, content, priority };
      keep(others, candidate, (a, b) => a.priority - b.priority, MAX_FILES);
      if (item.sizeBytes <= MAX_BYTES)
        keep(largest, candidate, (a, b) => b.item.sizeBytes - a.item.sizeBytes, MAX_LARGEST);
    },
    async restore(checks, write, powers = {}) {
      const chosen = await chooseWithin(context, [...largest, ...others]);
      if (chosen.length === 0) return;
      checks.push(...(await restoreSample({ driver, context, chosen, fileCount, write, powers })));
    },
  };
}

function keep(list: Candidate[], candidate: Candidate, order: (a: Candidate, b: Candidate) => number, max: number) {
  const at = list.findIndex((other) => order(candidate, other) < 0);
  list.splice(at < 0 ? list.length : at, 0, candidate);
  if (list.length > max) list.pop();
}

/** Numbers from 0 to below 1 that depend on the seed alone (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** As many as the bounds and half of the free space allow. Throws RESTORE_TARGET_INVALID when not even one fits. */
async function chooseWithin({ tempDir }: JobContext, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const space = await statfs(tempDir).catch(() => null);
  const isKnown = space !== null && space.blocks > 0;
  const budget = isKnown ? Math.min(MAX_BYTES, Math.floor((space.bavail * space.bsize) / 2)) : MAX_BYTES;
  const chosen = new Set<Candidate>();
  let bytes = 0;
  for (const candidate of candidates) {
    const { sizeBytes } = candidate.item;
    if (chosen.size >= MAX_FILES || chosen.has(candidate) || bytes + sizeBytes > budget) continue;
    chosen.add(candidate);
    bytes += sizeBytes;
  }
  if (chosen.size === 0 && candidates.some((one) => one.item.sizeBytes <= MAX_BYTES)) {
    const reason = `too little space is free for a sample of restored files: ${megabytes(budget * 2)}`;
    throw new AppError('RESTORE_TARGET_INVALID', { path: tempDir, reason });
  }
  return [...chosen];
}

interface SampleRestore {
  readonly driver: SourceDriver;
  readonly context: JobContext;
  readonly chosen: readonly Candidate[];
  readonly fileCount: number;
  readonly write: (session: RestoreSession, sample: RestoreParts) => Promise<void>;
  readonly powers: { readonly isVerified?: boolean };
}

async function restoreSample(sample: SampleRestore): Promise<VerifyCheck[]> {
  const { context, chosen, fileCount } = sample;
  const scratch = mkdtempSync(join(context.tempDir, 'verify-'));
  try {
    const problems = await restoreInto(sample, scratch);
    const failed = chosen.flatMap(({ item, content }) => {
      const path = displayPath(item.path);
      const fault = problems.get(path) ?? faultOf(scratch, item, content);
      return fault === null ? [] : [{ subject: path, name: 'restore', ok: false, detail: fault } as const];
    });
    const bytes = chosen.reduce((sum, { item }) => sum + item.sizeBytes, 0);
    const share = `${chosen.length} of ${fileCount} file(s), ${megabytes(bytes)}`;
    const detail = `${share}, restored and compared: content, size, mode and time`;
    const subject = chosen.length === fileCount ? 'all files' : 'sample';
    return failed.length > 0 ? failed : [{ subject, name: 'restore', ok: true, detail }];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Answers what went wrong, by path. Throws when the scratch folder cannot be written to: that says nothing of the artifact. */
async function restoreInto(sample: SampleRestore, scratch: string): Promise<Map<string, string>> {
  const { driver, context, chosen, write, powers } = sample;
  const paths = chosen.map(({ item }) => displayPath(item.path));
  const problems = new Map<string, string>();
  const problem = ({ path, code, message }: ItemProblem) => {
    if (code === 'write_failed') throw new AppError('RESTORE_TARGET_INVALID', { path: scratch, reason: message });
    // Owners and attributes that this machine cannot set are no damage.
    if (code === 'metadata' || code === 'unsupported') context.reporter.log('info', `${path}: ${message}`);
    else problems.set(path, message);
  };
  const session = await driver.restore(parseConfig(driver, { paths: ['/'] }), {
    ...powers,
    signal: context.signal,
    targetPath: scratch,
    paths,
    overwrite: 'never',
    tempDir: context.tempDir,
    options: {},
    problem,
    log: (level, message) => context.reporter.log(level, message),
    progress: () => {},
  });
  try {
    await write(session, { paths, problem });
    await session.commit();
  } catch (error) {
    await session.rollback();
    throw error;
  }
  return problems;
}

/** How a restored file differs from what the artifact says; null: not at all. */
function faultOf(scratch: string, item: SampledItem, content: readonly ExpectedContent[]): string | null {
  const path = Buffer.concat([Buffer.from(scratch), item.path]);
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!found?.isFile()) return 'the restore did not write it';
  if (found.size !== BigInt(item.sizeBytes)) return `restored with ${found.size} bytes, not ${item.sizeBytes}`;
  if ((Number(found.mode) & 0o777) !== (item.mode & 0o777)) return 'restored with other access rights';
  const offNs = found.mtimeNs - item.modifiedAtNs;
  if (offNs > TIME_STEP_NS || offNs < -TIME_STEP_NS) return 'restored with another time of modification';
  const fd = openSync(path, 'r');
  try {
    const isSame = content.every((part) => hashOf(fd, part.segments, item.sizeBytes) === part.sha256);
    return isSame ? null : 'restored with other content';
  } finally {
    closeSync(fd);
  }
}

function hashOf(fd: number, segments: readonly DataSegment[] | null, sizeBytes: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (const { offset, length } of segments ?? [{ offset: 0, length: sizeBytes }]) {
    for (let at = offset; at < offset + length; ) {
      const count = readSync(fd, buffer, 0, Math.min(READ_BYTES, offset + length - at), at);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
      at += count;
    }
  }
  return hash.digest('hex');
}
