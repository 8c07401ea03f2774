import { define, type ErrorDefinition } from './define.ts';

const ACCEPT_VERSION =
  'Nothing was touched. To go on, accept another version: tick it in the console, add --set acceptOtherVersion=true, or send options.acceptOtherVersion.';

/** Errors of databases and of the programs that dump and restore them. */
export const databaseErrors = {
  DATABASE_AUTH: define(
    400,
    5,
    '{server} refused the login of "{user}": {reason}',
    'Check user, password and where the user may log in from.',
  ),
  DATABASE_UNREACHABLE: define(
    502,
    7,
    '{server} cannot be reached: {reason}',
    'Check address, port and firewall; the node that runs the task must reach it.',
    true,
  ),
  DATABASE_TLS: define(
    502,
    7,
    'No trusted connection to {server}: {reason}',
    'Give the certificate of its authority, the name in its certificate, or another TLS mode.',
  ),
  DATABASE_NOT_FOUND: define(404, 6, 'There is no {name} on {server}.', 'Check the name; upper and lower case count.'),
  DATABASE_PERMISSION: define(
    403,
    5,
    '"{user}" has no right on {server} to {action}.',
    'Grant what is missing; the connection test shows the statements.',
  ),
  DATABASE_TOOL_MISSING: define(
    400,
    13,
    'The program {tool} is not installed on the machine that runs the task.',
    'Install the package {package} there.',
  ),
  DATABASE_TOOL_MISMATCH: define(
    400,
    13,
    '{tool} {toolVersion} does not fit the server {serverVersion}.',
    'Install the package {package} on the machine that runs the task.',
  ),
  DATABASE_TOOL_FAILED: define(500, 1, '{tool} failed: {reason}', 'See the log of the run.'),
  DATABASE_SETTINGS: define(
    400,
    13,
    '{server} is not set up for this: {reason}.',
    'Change the setting on the server; the connection test shows what is missing.',
  ),
  DATABASE_DUMP_INCOMPLETE: define(
    500,
    1,
    'The dump of {name} is not complete: {reason}',
    'Nothing was kept of it. See the log of the run.',
  ),
  DATABASE_DUMP_DAMAGED: define(
    422,
    8,
    'The dump of {name} cannot be restored: {reason}',
    'Restore from another record or another copy; nothing was overwritten.',
  ),
  DATABASE_EXISTS: define(
    409,
    2,
    '{name} exists on {server} already.',
    'Choose another name, or allow it to be replaced.',
  ),
  DATABASE_IN_USE: define(
    409,
    11,
    '{name} is in use: {sessions}.',
    'End these sessions, or allow the restore to end them.',
  ),
  DATABASE_SERVER_OLDER: define(
    409,
    13,
    '{name} was saved from {saved} and would go to {target}, which is older: what it does not know makes the restore fail.',
    ACCEPT_VERSION,
  ),
  DATABASE_SERVER_NEWER: define(
    409,
    13,
    '{name} was saved from {saved} and would go to {target}, which is newer: programs may find some of it changed.',
    ACCEPT_VERSION,
  ),
  DATABASE_SERVER_OTHER: define(
    409,
    13,
    '{name} was saved from {saved} and would go to {target}: what only one of them knows may fail or be lost.',
    ACCEPT_VERSION,
  ),

  // --- archive of PostgreSQL's log -------------------------------------------------------------
  WAL_FILE_REFUSED: define(
    422,
    2,
    '{name} is not archived: {reason}',
    'Nothing was stored. archive_command must pass %p, and the file must be one of this server.',
  ),
  WAL_CONFLICT: define(
    409,
    1,
    'The archive holds another file by the name of {name}.',
    'Nothing was overwritten. Does another server archive there? Give each cluster a prefix of its own.',
  ),
  WAL_OTHER_CLUSTER: define(
    409,
    2,
    'The archive belongs to the cluster {expected}, not to {found}.',
    'Give this cluster a prefix of its own. After initdb or pg_upgrade a cluster is a new one.',
  ),
  WAL_ARCHIVE_MISSING: define(
    404,
    6,
    'There is no archive of a cluster below "{prefix}" in this storage.',
    'Check storage and prefix in the parameter file, and that a disk is mounted.',
  ),
  WAL_CLUSTER_UNKNOWN: define(
    422,
    6,
    'Whose log is asked for cannot be told: {reason}',
    'The user of the server must be able to read global/pg_control in its data directory.',
  ),
  WAL_SEGMENT_MISSING: define(
    409,
    8,
    '{name} is missing in the archive, which holds later ones such as {later}.',
    'A recovery cannot go past it. Choose a target before it, or begin with a later base backup.',
  ),
  WAL_STILL_NEEDED: define(
    409,
    13,
    'The newest base backup, of {time}, needs what comes from {segment} on.',
    'Choose that segment or an earlier one, or add --force.',
  ),
  WAL_GAP: define(
    409,
    8,
    'The receiver would leave a gap: {reason}',
    'Start it with --accept-gap, then make a new base backup.',
  ),
  SAFETY_BACKUP_IMPOSSIBLE: define(
    409,
    13,
    'What is there cannot be backed up before the restore: {reason}',
    'Mend that, or start the restore without the backup of what is there.',
  ),
  SAFETY_BACKUP_FAILED: define(
    409,
    1,
    'The backup of what is there (record {recordId}) ended as {status}, so the restore did not begin; nothing was touched.',
    'See the log of that record. Then restore again; without that backup if you do not need what is there.',
  ),
  DATABASE_OPLOG: define(
    400,
    2,
    'The operations log of {server} cannot be used: {reason}.',
    'Back up and restore databases one by one, without the operations log; or mend what is said.',
  ),
} as const satisfies Record<string, ErrorDefinition>;
