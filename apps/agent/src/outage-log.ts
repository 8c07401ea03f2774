import type { Clock } from '@backupx/engine/ports/clock';
import type { AgentLogger } from './logger.ts';

/** Says that the master is away, and that it is back; not once a second in between. */
export interface OutageLog {
  failed(what: string, error: Error): void;
  recovered(): void;
}

/** A reason is repeated after this long, so that a log that was rotated still tells. */
const repeatAfterMs = 5 * 60_000;

export function createOutageLog(logger: AgentLogger, clock: Clock): OutageLog {
  let reason = '';
  let saidAtMs = 0;
  let sinceMs = 0;
  return {
    failed(what, error) {
      const nowMs = clock.monotonicMs();
      if (reason === '') sinceMs = nowMs;
      if (error.message === reason && nowMs - saidAtMs < repeatAfterMs) return;
      reason = error.message;
      saidAtMs = nowMs;
      const hint = 'hint' in error ? String(error.hint) : undefined;
      logger.warn({ what, hint, outageSeconds: Math.round((nowMs - sinceMs) / 1000) }, `${reason} Trying again.`);
    },
    recovered() {
      if (reason === '') return;
      reason = '';
      logger.info({ outageSeconds: Math.round((clock.monotonicMs() - sinceMs) / 1000) }, 'the master answers again');
    },
  };
}
