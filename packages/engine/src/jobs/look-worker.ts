/**
 * Entry of the looking thread: it answers questions about snapshots and streams out of them, for all who ask at once.
 * Here lie the indexes of the repositories looked into; the thread that asks never waits for one to be read.
 */
import { parentPort } from 'node:worker_threads';
import { AppError } from '@backupx/contracts/errors';
import type { RelaySettings } from '../ports/engine.ts';
import { silentReporter } from '../ports/reporter.ts';
import { threadData } from '../ports/start-thread.ts';
import { packError } from '../ports/thread-error.ts';
import { browseArtifact } from './browse-artifact.ts';
import type { DriversModule, JobContext, KeptSlot } from './job-context.ts';
import { CHUNKS_AHEAD, type FromLookWorker, type LookWorkerData, type ToLookWorker } from './look-messages.ts';
import { SendCredit } from './send-credit.ts';
import { streamSnapshot } from './snapshot-stream.ts';

/** One request under way. */
interface Asked {
  readonly abort: AbortController;
  readonly credit: SendCredit;
}

const port = parentPort;
const data = threadData<LookWorkerData>();
const { loadDrivers } = (await import(data.driversUrl)) as DriversModule;
const drivers = await loadDrivers(null);
const kept: KeptSlot = { repositories: null };
const asked = new Map<number, Asked>();

port?.on('message', (message: ToLookWorker) => {
  if (message.type === 'cancel') asked.get(message.id)?.abort.abort(new AppError('CANCELLED'));
  else if (message.type === 'pull') asked.get(message.id)?.credit.give();
  else void serve(message);
});

function send(message: FromLookWorker, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

async function serve(message: Extract<ToLookWorker, { type: 'browse' | 'stream' }>): Promise<void> {
  const { id } = message;
  const request: Asked = { abort: new AbortController(), credit: new SendCredit(CHUNKS_AHEAD) };
  asked.set(id, request);
  const context = contextOf(message.relay, request.abort.signal);
  try {
    if (message.type === 'browse') send({ type: 'page', id, page: await browseArtifact(message.job, context) });
    else {
      for await (const bytes of streamSnapshot(message.request, context)) await sendChunk(id, request, bytes);
      send({ type: 'end', id });
    }
  } catch (error) {
    send({ type: 'failed', id, error: packError(request.abort.signal.aborted ? new AppError('CANCELLED') : error) });
  } finally {
    asked.delete(id);
  }
}

/** A copy: the bytes may be a part of a larger piece of memory, which would go along whole. */
async function sendChunk(id: number, request: Asked, bytes: Uint8Array): Promise<void> {
  await request.credit.take(request.abort.signal);
  const copy = new Uint8Array(bytes);
  send({ type: 'chunk', id, bytes: copy }, [copy.buffer]);
}

function contextOf(relay: RelaySettings | null, signal: AbortSignal): JobContext {
  return {
    drivers,
    signal,
    reporter: silentReporter,
    tempDir: data.tempDir,
    relay,
    compressionParallelism: 1,
    storageAttempts: data.storageAttempts,
    readersUrl: null,
    openReader() {
      throw new AppError('INTERNAL', {}, { cause: new Error('nothing is backed up here') });
    },
    kept,
  };
}
