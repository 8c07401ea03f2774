/**
 * First module of every thread: turns on the code cache of the program, if it has one, before anything else is loaded.
 * Plain JavaScript, because nothing is cached before it: taking the types out of one file costs a thread more than
 * loading all the others from the cache.
 */
import { enableCompileCache } from 'node:module';
import { workerData } from 'node:worker_threads';

const { codeCacheDir, entryUrl } = workerData;
if (codeCacheDir) enableCompileCache(codeCacheDir);
await import(entryUrl);
