import { isOutage } from '../../ports/is-outage.ts';
import type { ByteRange, GetOptions, Storage } from '../../ports/storage.ts';
import { type Outage, type RetryOptions, Tries } from './tries.ts';

/** What calls are repeated on. */
export interface Repeated {
  readonly storage: Storage;
  readonly options: RetryOptions;
  readonly outage: Outage;
}

/** A get that is repeated until its first chunk came; with patience it also goes on at the byte where it broke. */
export async function* repeatGet(
  { storage, options, outage }: Repeated,
  key: string,
  { range, ...getOptions }: GetOptions,
): AsyncGenerator<Uint8Array> {
  const first = range?.start ?? 0;
  const isPatient = (options.patienceMs ?? 0) > 0;
  let at = first;
  let startedAt = first;
  for (let tries = new Tries(options, outage, getOptions.signal); ; ) {
    try {
      for await (const chunk of storage.get(key, { ...getOptions, range: rangeFrom(range, at) })) {
        outage.end();
        at += chunk.byteLength;
        yield chunk;
      }
      outage.end();
      return;
    } catch (error) {
      if (at > first && !(isPatient && isOutage(error))) throw error;
      if (at > startedAt) tries = new Tries(options, outage, getOptions.signal);
      startedAt = at;
      await tries.waitOrThrow(error);
    }
  }
}

/** The whole object stays one that was asked for without a range. */
function rangeFrom(range: ByteRange | undefined, start: number): ByteRange | undefined {
  return range === undefined && start === 0 ? undefined : { ...range, start };
}
