/** Entry of the thread that runs one job of the work lane. It ends when the job has ended. */
import { parentPort, workerData } from 'node:worker_threads';
import type { EngineDrivers } from './job-context.ts';
import { createThreadReader } from './reader-thread.ts';
import { runJob } from './run-job.ts';
import { type FromJobWorker, type JobWorkerData, packError, type ToJobWorker } from './thread-messages.ts';

const port = parentPort;
const data = workerData as JobWorkerData;
const send = (message: FromJobWorker) => port?.postMessage(message);

async function main(): Promise<void> {
  const abort = new AbortController();
  port?.on('message', (message: ToJobWorker) => {
    if (message.type === 'cancel') abort.abort();
  });
  try {
    const { drivers } = (await import(data.modules.driversUrl)) as { drivers: EngineDrivers };
    const { modules, tempDir, relay, compressionParallelism, storageAttempts } = data;
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
      openReader: createThreadReader({
        sourcesUrl: modules.sourcesUrl,
        tempDir,
        blockCount: compressionParallelism + 2,
      }),
    });
    send({ type: 'result', result });
  } catch (error) {
    send({ type: 'error', error: packError(error) });
  } finally {
    port?.close();
  }
}

await main();
