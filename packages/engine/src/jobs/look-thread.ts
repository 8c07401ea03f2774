/** The looking thread as the engine sees it: started with the first question, ended when none came for a while. */
import type { Worker } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { BrowseArtifactJob, BrowseArtifactResult } from '@backupx/contracts/jobs';
import type { RelaySettings, SnapshotStreamRequest } from '../ports/engine.ts';
import { orCancelled, throwIfCancelled } from '../ports/pull-body.ts';
import { startThread } from '../ports/start-thread.ts';
import { packError, unpackError } from '../ports/thread-error.ts';
import type { FromLookWorker, LookWorkerData, ToLookWorker } from './look-messages.ts';

/** Longer than repositories stay open in it. */
const MAX_IDLE_MS = 15 * 60_000;

export interface LookThreadOptions extends LookWorkerData {
  readonly relay: () => RelaySettings | null;
}

export class LookThread {
  readonly #options: LookThreadOptions;
  readonly #listeners = new Map<number, (message: FromLookWorker) => void>();
  #worker: Worker | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(options: LookThreadOptions) {
    this.#options = options;
  }

  /** Throws what `browseArtifact` throws. */
  async browse(job: BrowseArtifactJob, signal: AbortSignal): Promise<BrowseArtifactResult> {
    const { promise, resolve, reject } = Promise.withResolvers<BrowseArtifactResult>();
    const id = this.#ask(
      (number) => ({ type: 'browse', id: number, job, relay: this.#options.relay() }),
      (message) => {
        if (message.type === 'page') resolve(message.page);
        else if (message.type === 'failed') reject(unpackError(message.error));
      },
    );
    promise.catch(() => {}); // an answer after the end may fail, too
    const onAbort = () => this.#tell({ type: 'cancel', id });
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await orCancelled(promise, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Throws what `streamSnapshot` throws. When it is left early, it has cleared up on return. */
  async *stream(request: SnapshotStreamRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const inbox = new Inbox();
    const id = this.#ask(
      (number) => ({ type: 'stream', id: number, request, relay: this.#options.relay() }),
      (message) => inbox.add(message),
    );
    const cancel = () => this.#tell({ type: 'cancel', id });
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    let last: FromLookWorker | null = null;
    try {
      for (last = await inbox.next(); last.type === 'chunk'; last = await inbox.next()) {
        throwIfCancelled(signal);
        this.#tell({ type: 'pull', id });
        yield last.bytes;
      }
      throwIfCancelled(signal);
      if (last.type === 'failed') throw unpackError(last.error);
    } finally {
      signal.removeEventListener('abort', cancel);
      if (last?.type === 'chunk') cancel();
      while (last?.type === 'chunk') last = await inbox.next();
    }
  }

  /** Ends the thread; whoever still waits gets CANCELLED. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#giveUp(new AppError('CANCELLED'));
    await worker?.terminate();
  }

  #ask(toMessage: (id: number) => ToLookWorker, listener: (message: FromLookWorker) => void): number {
    clearTimeout(this.#idleTimer);
    this.#lastId += 1;
    this.#listeners.set(this.#lastId, listener);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#tell(toMessage(this.#lastId));
    return this.#lastId;
  }

  #tell(message: ToLookWorker): void {
    this.#worker?.postMessage(message);
  }

  #start(): Worker {
    const { driversUrl, tempDir, storageAttempts } = this.#options;
    const data: LookWorkerData = { driversUrl, tempDir, storageAttempts };
    const worker = startThread(new URL('./look-worker.ts', import.meta.url), { data, name: 'backupx look' });
    worker.on('message', (message: FromLookWorker) => this.#hear(message));
    worker.on('error', (cause) => this.#lose(worker, cause));
    worker.on('exit', (code) => this.#lose(worker, new Error(`the looking thread ended with code ${code}`)));
    return worker;
  }

  #hear(message: FromLookWorker): void {
    const listener = this.#listeners.get(message.id);
    if (message.type !== 'chunk') this.#listeners.delete(message.id);
    listener?.(message);
    if (this.#listeners.size > 0) return;
    this.#worker?.unref();
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => void this.close(), MAX_IDLE_MS);
    this.#idleTimer.unref();
  }

  #lose(worker: Worker, cause: Error): void {
    if (worker === this.#worker) this.#giveUp(new AppError('INTERNAL', {}, { cause }));
  }

  /** Gives the thread up; the next question starts a new one. */
  #giveUp(error: AppError): void {
    this.#worker = null;
    clearTimeout(this.#idleTimer);
    const waiting = [...this.#listeners];
    this.#listeners.clear();
    for (const [id, listener] of waiting) listener({ type: 'failed', id, error: packError(error) });
  }
}

/** Messages in the order they came. */
class Inbox {
  readonly #messages: FromLookWorker[] = [];
  #wake = () => {};

  add(message: FromLookWorker): void {
    this.#messages.push(message);
    this.#wake();
  }

  async next(): Promise<FromLookWorker> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
