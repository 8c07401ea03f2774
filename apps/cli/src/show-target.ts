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

const WHY_ASKED = {
  older: 'which is older: what it does not know makes the restore fail',
  newer: 'which is newer: programs may find some of it changed',
  other: 'which is of another kind: what only one of them knows may fail or be lost',
} as const;

/** Answers an exit code: 0, or that of DATABASE_SERVER_* when the version of the server would stop the restore. */
function showVersions(
  { terminal }: CommandContext,
  { otherVersion }: InspectTargetResult,
  options: Readonly<Record<string, unknown>>,
): number {
  if (!otherVersion) return 0;
  const { saved, target, difference } = otherVersion;
  terminal.say(printable(`The backup is of ${saved} and would go to ${target}, ${WHY_ASKED[difference]}.`));
  if (options.acceptOtherVersion === true) return 0;
  terminal.say('The restore would stop. To go on all the same: --set acceptOtherVersion=true');
  return errorCatalog.DATABASE_SERVER_OTHER.exitCode;
}

/** Answers an exit code: 0, or that of DATABASE_SERVER_* or DATABASE_IN_USE when versions or sessions would stop the restore. */
export function showTarget(
  context: CommandContext,
  found: InspectTargetResult,
  options: Readonly<Record<string, unknown>>,
): number {
  const { terminal } = context;
  const place = found.server === '' ? '' : ` on ${found.server}`;
  let connected = 0;
  for (const database of found.databases) {
    terminal.say(printable(`${fateOf(database)}${place}`));
    for (const session of database.sessions) terminal.say(printable(`  in use by ${describeSession(session)}`));
    if (isReplaced(database)) connected += database.sessions.length;
  }
  for (const note of found.notes ?? []) terminal.say(printable(note));
  const code = showVersions(context, found, options);
  if (connected === 0 || options.endSessions === true) return code;
  terminal.say('As long as they are connected the restore would stop. End them, or have them ended at the');
  terminal.say('last moment where the kind of database can do that: --set endSessions=true');
  return errorCatalog.DATABASE_IN_USE.exitCode;
}
