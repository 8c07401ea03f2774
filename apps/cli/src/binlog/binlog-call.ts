import type { CommandContext } from '../command-context.ts';
import { walCall } from '../wal/wal-call.ts';

/** The option of every command. */
export const configOption = ['--config <file>', 'parameter file: server, spool, storage, prefix, encryption'] as const;

/** What a call into the engine begins with; SIGINT and SIGTERM stop it. */
export function binlogCall(config: string | undefined, { terminal }: CommandContext) {
  return { ...walCall(config), say: (message: string) => terminal.say(message) };
}
