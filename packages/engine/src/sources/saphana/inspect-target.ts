/**
 * Who works in the databases whose files are brought back. The restore itself touches none of them: HANA recovers, when
 * somebody has it do so.
 */
import type { DatabaseSession } from '@backupx/contracts/jobs';
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import type { HanaConfig } from './config.ts';
import { databaseOfFolder, placeOf } from './entry-paths.ts';
import { Hdbsql } from './hdbsql.ts';
import { listDatabases, listSessions } from './server-catalogue.ts';

const NOTES = [
  'The files of the backup are put into a folder, with the steps of a recovery (RECOVERY.txt). Nothing in SAP HANA changes by that.',
  'The recovery by SAP HANA, which you start, replaces the whole database and ends all sessions. No backup is made before: run the task once more first if the database as it is now may be wanted back.',
];

/** Answers notes alone where HANA cannot be asked: its files can be brought back to any machine. */
export async function inspectTarget(config: HanaConfig, context: TargetContext): Promise<TargetInspection> {
  const saved = context.entries.flatMap((entry) => placeOf(Buffer.from(entry))?.folder ?? []);
  const names = [...new Set(saved)].map(databaseOfFolder);
  try {
    return await ask(config, names, context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    const unknown = `Who is connected is unknown: ${(error as Error).message}`;
    return { server: '', databases: [], notes: [...NOTES, unknown] };
  }
}

async function ask(config: HanaConfig, names: readonly string[], signal: AbortSignal): Promise<TargetInspection> {
  const hdbsql = await Hdbsql.open(config, signal);
  const present = new Set((await listDatabases(hdbsql, signal)).map(({ name }) => name));
  const sessions = await listSessions(hdbsql, signal);
  const databases = names.map((name) => ({
    ...{ name, exists: present.has(name), isReplaced: false, canBeSaved: false, sizeBytes: null },
    sessions: sessions.get(name) ?? ([] as DatabaseSession[]),
  }));
  return { server: hdbsql.label, databases, notes: NOTES };
}
