/** Entry of the thread that runs one job of the work lane. It ends when the job has ended. */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import { lowerPriority } from '../ports/lower-priority.ts';
import { threadData } from '../ports/start-thread.ts';
import { packError } from '../ports/thread-error.ts';
import type { DriversModule } from './job-context.ts';
import { createThreadReader } from './reader-thread.ts';
import { runJob } from './run-job.ts';
import { createSealThread } from './seal-thread.ts';
import type { FromJobWorker, JobWorkerData, ToJobWorker } from './thread-messages.ts';

const port = parentPort;
const data = threadData<JobWorkerData>();
const send = (message: FromJobWorker) => port?.postMessage(message);

async function main(): Promise<void> {
  const abort = new AbortController();
  port?.on('message', (message: ToJobWorker) => {
    // Whoever throws the reason of the signal then throws what it means.
    if (message.type === 'cancel') abort.abort(new AppError('CANCELLED'));
  });
  // Before there are other threads: they take it over.
  lowerPriority(data.nice);
  const sealing = createSealThread();
  try {
    const { loadDrivers } = (await import(data.modules.driversUrl)) as DriversModule;
    const drivers = await loadDrivers(data.job);
    const { modules, tempDir, relay, compressionParallelism, storageAttempts, storagePatienceMs } = data;
    const result = await runJob(data.job, {
      drivers,
      signal: abort.signal,
      reporter: {
        progress: (progress) => send({ type: 'progress', progress }),
        log: (level, message) => send({ type: 'log', level, message }),
      },
      tempDir,
      relay,
      compressionParallelism,
      storageAttempts,
      storagePatienceMs,
      readersUrl: modules.readersUrl,
      openReader: createThreadReader({
        sources: drivers.sources,
        readersUrl: modules.readersUrl,
        tempDir,
        blockCount: compressionParallelism + 2,
      }),
      sealPieces: sealing.sealPieces,
      openPieces: sealing.openPieces,
    });
    send({ type: 'result', result });
  } catch (error) {
    send({ type: 'error', error: packError(error) });
  } finally {
    await sealing.close();
    port?.close();
  }
}

await main();
