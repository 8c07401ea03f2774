import { AppError, toAppError } from '@backupx/contracts/errors';
import type { JobTarget, RunBackupJob, RunBackupResult, TargetResult } from '@backupx/contracts/jobs';
import type { StreamDigest } from '../archive/checksum.ts';
import { archiveExtension, compress } from '../archive/compression.ts';
import { encryptAge } from '../archive/encryption.ts';
import { throwIfCancelled } from '../ports/pull-body.ts';
import type { JobContext } from './job-context.ts';
import { openTarget } from './open-target.ts';
import { ProblemList } from './problem-list.ts';
import { ProgressMeter } from './progress-meter.ts';
import type { Reader } from './read-source.ts';
import { type OpenTarget, storeEverywhere } from './store-everywhere.ts';

const CLEANUP_TIMEOUT_MS = 20_000;

/** The steps of one backup and what they hand on to each other; `run-backup.ts` gives the order. */
export class BackupRun {
  readonly #job: RunBackupJob;
  readonly #context: JobContext;
  readonly #problems: ProblemList;
  readonly #meter: ProgressMeter;
  readonly #fileName: string;
  readonly #key: string;
  #targets: OpenTarget[] = [];
  #reader: Reader | null = null;
  #digest: StreamDigest | null = null;

  constructor(job: RunBackupJob, context: JobContext) {
    this.#job = job;
    this.#context = context;
    this.#problems = new ProblemList(context.reporter);
    this.#meter = new ProgressMeter(context.reporter);
    this.#fileName = job.baseName + archiveExtension(job.compression, job.encryption !== null);
    this.#key = job.keyPrefix === '' ? this.#fileName : `${job.keyPrefix}/${this.#fileName}`;
  }

  /** A target that cannot even be opened is one that failed. */
  openTargets(): void {
    this.#meter.enter('preparing');
    throwIfCancelled(this.#context.signal);
    const { recordId, bandwidthBytesPerSecond, targets } = this.#job;
    const failures: AppError[] = [];
    // Several are written in step: while one of them is waited for the others get nothing, and a server that is being
    // dumped hangs up.
    const context = targets.length > 1 ? { ...this.#context, storagePatienceMs: 0 } : this.#context;
    for (const target of targets) {
      try {
        const storage = openTarget(context, { target, recordId }, bandwidthBytesPerSecond);
        this.#targets.push({ target, storage, storedKeys: [], error: null });
      } catch (error) {
        const failure = toAppError(error, 'STORAGE_CONFIG', { reason: String(error) });
        failures.push(failure);
        this.#unopened.push({ ...describeTarget(target), status: 'failed', error: failure.message });
        this.#reportTarget(target.name, failure);
      }
    }
    if (this.#targets.length === 0 && failures[0]) throw failures[0];
  }

  readonly #unopened: TargetResult[] = [];

  openReader(): void {
    const { counters } = this.#meter;
    this.#reader = this.#context.openReader({
      source: this.#job.source,
      signal: this.#context.signal,
      events: {
        onProblem: (problem) => {
          this.#problems.add(problem);
          counters.problemCount = this.#problems.count;
        },
        onLog: (level, message) => this.#context.reporter.log(level, message),
        onTotals: (totals) => this.#meter.setTotals(totals),
        onProgress: ({ items, bytes, currentItem }) => {
          counters.itemsDone = items;
          counters.bytesDone = bytes;
          counters.currentItem = currentItem;
        },
      },
    });
    this.#meter.enter('running');
    this.#context.reporter.log('info', `Backing up to ${this.#key}.`);
  }

  async storeArchive(): Promise<void> {
    const reader = this.#openedReader();
    this.#digest = await storeEverywhere(this.#pack(reader.blocks, this.#job.compression), this.#live(), {
      key: this.#key,
      signal: this.#context.signal,
      onBytes: (total) => {
        this.#meter.counters.bytesStored = total;
      },
      onTargetFailed: ({ target }, error) => this.#reportTarget(target.name, error),
    });
  }

  /** The list of contents; without it the artifact is still whole, only slower to browse. */
  async storeContents(): Promise<void> {
    this.#meter.enter('finishing');
    const targets = this.#live()
      .filter(({ target }) => !(target.viaMaster && this.#context.relay?.needsKnownSize))
      .map((item) => ({ ...item }));
    if (targets.length === 0) return;
    const body = this.#pack(this.#openedReader().contents, 'zstd');
    const onTargetFailed = (item: OpenTarget, error: AppError) => this.#contentsFailed(item.target.name, error);
    const { signal } = this.#context;
    try {
      await storeEverywhere(body, targets, { key: this.#contentsKey, signal, onBytes() {}, onTargetFailed });
    } catch (error) {
      throwIfCancelled(signal);
      // Every target has told its own failure already; this is for a list that could not be read.
      if (!targets.every((item) => item.error)) this.#contentsFailed('', toAppError(error));
    }
  }

  result(): RunBackupResult {
    const { counters } = this.#openedReader();
    const digest = this.#digest;
    if (!digest) throw new AppError('INTERNAL', {}, { cause: new Error('nothing was stored') });
    const targets = [...this.#targets.map((item) => this.#targetResult(item, digest)), ...this.#unopened];
    const isWhole = this.#problems.count === 0 && targets.every((target) => target.status === 'success');
    this.#meter.counters.itemsDone = counters.items;
    this.#meter.counters.bytesDone = counters.bytes;
    this.#meter.enter('done');
    return {
      status: isWhole ? 'success' : 'warning',
      fileName: this.#fileName,
      storagePath: this.#key,
      contentsPath: this.#contentsKey,
      fileSize: digest.sizeBytes,
      checksum: digest.sha256,
      sourceBytes: counters.bytes,
      itemCount: counters.items,
      targets,
      problems: this.#problems.listed,
      problemCount: this.#problems.count,
    };
  }

  /** After a failure: takes back what some target had already stored. Never throws. */
  async removeStored(): Promise<void> {
    await this.#reader?.close();
    const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
    for (const { storage, storedKeys, target } of this.#targets) {
      for (const key of storedKeys) {
        if (target.viaMaster) continue;
        await storage.delete(key, signal).catch((error: unknown) => {
          this.#context.reporter.log('warn', `${key} could not be removed from ${target.name}: ${messageOf(error)}`);
        });
      }
    }
  }

  async close(): Promise<void> {
    this.#meter.stop();
    await this.#reader?.close();
    await Promise.all(this.#targets.map(async ({ storage }) => storage.close?.().catch(() => {})));
  }

  get #contentsKey(): string {
    return `${this.#key}.contents`;
  }

  #live(): OpenTarget[] {
    return this.#targets.filter((item) => item.error === null);
  }

  #openedReader(): Reader {
    if (!this.#reader) throw new AppError('INTERNAL', {}, { cause: new Error('the source was not opened') });
    return this.#reader;
  }

  #pack(blocks: AsyncIterable<Uint8Array>, algorithm: RunBackupJob['compression']): AsyncIterable<Uint8Array> {
    const { signal, sealPieces, compressionParallelism: parallelism } = this.#context;
    const reader = this.#openedReader();
    const packed = compress(blocks, {
      algorithm,
      parallelism,
      signal,
      onBlockDone: (block) => reader.recycle(block),
    });
    return this.#job.encryption ? encryptAge(packed, this.#job.encryption.recipients, { signal, sealPieces }) : packed;
  }

  #targetResult({ target, error }: OpenTarget, digest: StreamDigest): TargetResult {
    if (error) return { ...describeTarget(target), status: 'failed', error: error.message };
    return { ...describeTarget(target), status: 'success', storagePath: this.#key, fileSize: digest.sizeBytes };
  }

  #reportTarget(name: string, error: AppError): void {
    this.#context.reporter.log('error', `Storing in ${name} failed: ${error.message}`);
  }

  #contentsFailed(targetName: string, error: AppError): void {
    const where = targetName === '' ? '' : ` in ${targetName}`;
    const message = `the list of contents could not be stored${where}: ${error.message}`;
    this.#problems.add({ path: this.#contentsKey, code: 'upload_failed', message });
  }
}

function describeTarget({ id, name, viaMaster }: JobTarget) {
  return { targetId: id, targetName: name, viaMaster };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
