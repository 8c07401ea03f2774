import { join } from 'node:path';
import { findTool } from '../../ports/find-tool.ts';
import { describeEnd, isSuccess, runTool } from '../../ports/processes.ts';
import type { Server } from './server.ts';

const PROGRAM = 'pg_amcheck';
const LIMIT_MS = 3_600_000;

export interface EngineCheck {
  /** False: the program is not installed. */
  readonly hasEngineCheck: boolean;
  /** What it found wrong; null: nothing. */
  readonly engineFailure: string | null;
}

/** PostgreSQL's own check of tables and indexes, on a server that goes afterwards: it installs an extension there. */
export async function runAmcheck(server: Server, what: readonly string[], signal: AbortSignal): Promise<EngineCheck> {
  const programs = server.newest;
  if (findTool([PROGRAM], [programs.folder]) !== join(programs.folder, PROGRAM))
    return { hasEngineCheck: false, engineFailure: null };
  const args = ['--no-password', '--install-missing', '--no-strict-names', ...what];
  const said = await runTool(server.command(programs, PROGRAM, args), { signal, timeoutMs: LIMIT_MS });
  const failure = isSuccess(said) ? null : `${said.text.trim()} ${describeEnd(said)}`.trim();
  return { hasEngineCheck: true, engineFailure: failure };
}
