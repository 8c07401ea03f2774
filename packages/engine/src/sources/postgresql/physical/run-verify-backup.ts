/** PostgreSQL's own check of a base backup, where it is installed. */
import { join } from 'node:path';
import { findTool } from '../../../ports/find-tool.ts';
import { describeEnd, isSuccess, runTool } from '../../../ports/processes.ts';
import { installedPrograms, type Programs } from '../programs.ts';

const PROGRAM = 'pg_verifybackup';
/** It reads everything once more. */
const LIMIT_MS = 24 * 3_600_000;

/** The programs of this version; null: they are not installed. */
export async function programsOfMajor(
  major: number,
  toolFolder: string,
  signal: AbortSignal,
): Promise<Programs | null> {
  try {
    return (await installedPrograms(toolFolder, signal)).find((item) => item.major === major) ?? null;
  } catch (error) {
    if ((error as { code?: string }).code === 'DATABASE_TOOL_MISSING') return null;
    throw error;
  }
}

export interface VerifyBackupOutcome {
  /** False: the program is not there. */
  readonly hasRun: boolean;
  /** What it found wrong; null: nothing. */
  readonly failure: string | null;
}

/** Looks at the files of a data directory with its manifest in it. */
export async function runVerifyBackup(
  folder: string,
  programs: Programs | null,
  signal: AbortSignal,
): Promise<VerifyBackupOutcome> {
  const has = (name: string) =>
    programs !== null && findTool([name], [programs.folder]) === join(programs.folder, name);
  if (programs === null || !has(PROGRAM)) return { hasRun: false, failure: null };
  // The WAL is read by a program of the server's package.
  const args = ['--quiet', ...(has('pg_waldump') ? [] : ['--no-parse-wal']), folder];
  const said = await runTool(
    { program: join(programs.folder, PROGRAM), args, cwd: '/' },
    { signal, timeoutMs: LIMIT_MS },
  );
  return { hasRun: true, failure: isSuccess(said) ? null : describeEnd(said) };
}
