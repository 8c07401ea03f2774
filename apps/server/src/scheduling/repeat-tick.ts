/** Looks again and again, every few seconds, until it is stopped; a look that fails is logged and the next one comes. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { DispatchLog } from '../dispatch/dispatch-log.ts';

export interface RepeatedTick {
  /** Ticks until `stop`; idempotent. */
  start(): void;
  /** Waits for the look that is going on. */
  stop(): Promise<void>;
  /** Aborted by `stop`: a look should end soon. */
  readonly signal: AbortSignal;
}

/** `what`: for the log, as in "looking for <what> failed". */
export function repeatTick(
  { clock, log }: { readonly clock: Clock; readonly log: DispatchLog },
  look: { readonly everyMs: number; readonly what: string; tick(): Promise<unknown> },
): RepeatedTick {
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  async function runLoop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look.tick().catch((error: unknown) => log.error({ err: error }, `looking for ${look.what} failed`));
      await clock.sleep(look.everyMs, stopping.signal).catch(() => undefined);
    }
  }

  return {
    start() {
      loop ??= runLoop();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
    signal: stopping.signal,
  };
}
