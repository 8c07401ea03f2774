/** Tells what a restore of databases would replace, and who is connected to that, before it begins. */
import { describeSession } from '@backupx/contracts/describe-session';
import { errorCatalog } from '@backupx/contracts/errors';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import type { CommandContext } from './command-context.ts';
import { formatBytes, printable } from './output/format.ts';

type Database = InspectTargetResult['databases'][number];

const isReplaced = (database: Database): boolean => database.isReplaced ?? database.exists;

function fateOf(database: Database): string {
  const { name, exists, sizeBytes } = database;
  const fate = isReplaced(database) ? 'replaces' : exists ? 'leaves  ' : 'creates ';
  return `${fate} ${name}${sizeBytes === null ? '' : ` (${formatBytes(sizeBytes)})`}`;
}

/** Answers an exit code: 0, or that of DATABASE_IN_USE when sessions would stop the restore. */
export function showTarget(
  { terminal }: CommandContext,
  found: InspectTargetResult,
  options: Readonly<Record<string, unknown>>,
): number {
  const place = found.server === '' ? '' : ` on ${found.server}`;
  let connected = 0;
  for (const database of found.databases) {
    terminal.say(printable(`${fateOf(database)}${place}`));
    for (const session of database.sessions) terminal.say(printable(`  in use by ${describeSession(session)}`));
    if (isReplaced(database)) connected += database.sessions.length;
  }
  for (const note of found.notes ?? []) terminal.say(printable(note));
  if (connected === 0 || options.endSessions === true) return 0;
  terminal.say('As long as they are connected the restore would stop. End them, or have them ended at the');
  terminal.say('last moment where the kind of database can do that: --set endSessions=true');
  return errorCatalog.DATABASE_IN_USE.exitCode;
}
