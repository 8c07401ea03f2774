/** First module of every thread: turns on the code cache of the program, if it has one, before anything else is loaded. */
import { enableCompileCache } from 'node:module';
import { workerData } from 'node:worker_threads';
import type { ThreadStart } from './start-thread.ts';

const { codeCacheDir, entryUrl } = workerData as ThreadStart<unknown>;
if (codeCacheDir) enableCompileCache(codeCacheDir);
await import(entryUrl);
