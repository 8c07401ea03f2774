import { getCompileCacheDir } from 'node:module';
import { type ResourceLimits, Worker, workerData } from 'node:worker_threads';
import { removeSecretsOf } from './secret-folder.ts';

/** What a thread is started with; read by `thread-entry.mjs`. */
export interface ThreadStart<T> {
  readonly codeCacheDir: string | undefined;
  readonly entryUrl: string;
  readonly data: T;
}

export interface ThreadOptions<T> {
  readonly data: T;
  readonly name: string;
  readonly resourceLimits?: ResourceLimits;
  /** Where it keeps files with secrets; those it leaves when it is ended are removed. Left out: it has none. */
  readonly tempDir?: string;
}

/** Starts a module in a thread of its own, with the code cache of this one: loading is most of what a thread costs. */
export function startThread<T>(url: URL, { data, name, resourceLimits, tempDir }: ThreadOptions<T>): Worker {
  const start: ThreadStart<T> = { codeCacheDir: getCompileCacheDir(), entryUrl: url.href, data };
  const worker = new Worker(new URL('./thread-entry.mjs', import.meta.url), {
    workerData: start,
    name,
    resourceLimits,
  });
  const { threadId } = worker;
  if (tempDir !== undefined) worker.once('exit', () => removeSecretsOf(tempDir, threadId));
  return worker;
}

/** In a thread: what it was started with. */
export function threadData<T>(): T {
  return (workerData as ThreadStart<T>).data;
}
