/** Our own lines in a record's log; lines of agents are kept as they come. */
import type { LogLevel } from '@backupx/contracts/jobs';

/** `2026-01-31T12:00:00.000Z INFO text`, one line. */
export function logLine(at: Date, level: LogLevel, message: string): string {
  return `${at.toISOString()} ${level.toUpperCase()} ${message.replace(/[\r\n]+/g, ' ')}\n`;
}
