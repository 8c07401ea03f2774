/**
 * Holds the bodies of puts and gets to a number of bytes per second, shared by all streams of one storage.
 *
 * Every slice reserves its time on one line ("when will the bytes before me be through?") and waits for its turn, so
 * the average never exceeds the limit however many streams run; idle time is not saved up.
 */
import { type Clock, systemClock } from '../../ports/clock.ts';
import { cancelledError } from '../../ports/pull-body.ts';
import type { ReplayableBody, Storage } from '../../ports/storage.ts';
import { replayable } from '../../ports/storage.ts';

/** Slices are a twentieth of a second long (at least 1 KiB): smooth for the network, cheap for us. */
const SLICES_PER_SECOND = 20;
const MIN_SLICE_BYTES = 1024;

/** Returns `storage` with its streams limited (reads into memory are left out: they are none); 0 means unlimited and returns `storage` itself. */
export function withBandwidthLimit(storage: Storage, bytesPerSecond: number, clock: Clock = systemClock): Storage {
  if (bytesPerSecond <= 0) return storage;
  const sliceBytes = Math.max(MIN_SLICE_BYTES, Math.ceil(bytesPerSecond / SLICES_PER_SECOND));
  let freeAtMs = Number.NEGATIVE_INFINITY;

  const takeTurn = async (bytes: number, signal: AbortSignal): Promise<void> => {
    const nowMs = clock.monotonicMs();
    const startMs = Math.max(nowMs, freeAtMs);
    freeAtMs = startMs + (bytes / bytesPerSecond) * 1000;
    if (startMs <= nowMs) return;
    await clock.sleep(startMs - nowMs, signal).catch(() => {
      throw cancelledError(signal);
    });
  };

  async function* limit(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.byteLength; at += sliceBytes) {
        const slice = chunk.subarray(at, at + sliceBytes);
        await takeTurn(slice.byteLength, signal);
        yield slice;
      }
    }
  }

  return {
    put: (key, body, options) => {
      const isReplayable = (body as Partial<ReplayableBody>).replayable === true;
      const open = () => limit(body, options.signal);
      return storage.put(key, isReplayable ? replayable(open) : open(), options);
    },
    get: (key, options) => limit(storage.get(key, options), options.signal),
    stat: (key, signal) => storage.stat(key, signal),
    list: (prefix, signal) => storage.list(prefix, signal),
    delete: (key, signal) => storage.delete(key, signal),
    usage: storage.usage?.bind(storage),
    close: storage.close?.bind(storage),
  };
}
