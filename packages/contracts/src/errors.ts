/**
 * The error catalogue: every failure a user, script or agent can meet has one code here.
 *
 * HTTP status, exit code of the command line, translation key and the anchor in `docs/errors.md`
 * all derive from the code. Throw `new AppError('NODE_OFFLINE', { node: name }, { cause })`; only the
 * three mappers (server/http, cli, web/api) turn it into something a person reads.
 */

/** One catalogue entry. `message` and `hint` may hold `{name}` placeholders filled from the error's params. */
export interface ErrorDefinition {
  /** HTTP status of the answer. */
  readonly status: number;
  /** Exit code of the command line program (see docs/cli.md). */
  readonly exitCode: number;
  /** True when trying the same call again, unchanged, may succeed. */
  readonly retryable: boolean;
  readonly message: string;
  /** What the reader should do next. */
  readonly hint: string;
}

const define = (
  status: number,
  exitCode: number,
  message: string,
  hint: string,
  retryable = false,
): ErrorDefinition => ({ status, exitCode, retryable, message, hint });

export const errorCatalog = {
  // --- general ---------------------------------------------------------------------------------
  INVALID_INPUT: define(400, 2, 'The request is not valid.', 'Correct the fields named in the answer and try again.'),
  MALFORMED_JSON: define(
    400,
    2,
    'The request body is not valid JSON.',
    'Send a JSON body with Content-Type: application/json.',
  ),
  BODY_TOO_LARGE: define(
    413,
    2,
    'The request body is larger than allowed.',
    'Send less at once; artifacts go through the upload route.',
  ),
  ROUTE_NOT_FOUND: define(
    404,
    6,
    'There is nothing at this address.',
    'Check the path; the list of routes is at /api/openapi.json.',
  ),
  RATE_LIMITED: define(429, 7, 'Too many attempts.', 'Wait {retryAfterSeconds} seconds, then try again.', true),
  INTERNAL: define(
    500,
    1,
    'Something went wrong inside BackupX.',
    'Look for request {requestId} in the server log.',
    true,
  ),
  CONFLICT: define(409, 1, 'This was changed by somebody else in the meantime.', 'Reload and try again.'),
  CANCELLED: define(409, 130, 'The work was cancelled.', 'Start it again when you want it to run.'),
  TIMEOUT: define(
    504,
    124,
    '{what} did not finish within {seconds} s.',
    'Check that it is reachable, then try again.',
    true,
  ),
  SHUTTING_DOWN: define(503, 7, 'The server is stopping.', 'Try again in a moment.', true),
  CONFIG_INVALID: define(
    500,
    2,
    'The configuration is not valid: {problems}',
    'Correct the settings named above and start again.',
  ),
  ALREADY_RUNNING: define(
    409,
    11,
    'Another BackupX server already uses this data folder: {path}',
    'Stop the other server or choose another data folder.',
  ),
  NOT_SUPPORTED: define(400, 2, '{what} is not supported here.', '{hint}'),

  // --- authentication --------------------------------------------------------------------------
  AUTH_REQUIRED: define(401, 4, 'You are not signed in.', 'Sign in, or send a valid bearer token.'),
  AUTH_INVALID_CREDENTIALS: define(
    401,
    4,
    'User name or password is wrong.',
    'Check both; after several failures wait a minute.',
  ),
  AUTH_FORBIDDEN: define(403, 5, 'Your role may not do this; it needs {role}.', 'Ask an administrator.'),
  AUTH_CSRF: define(
    403,
    5,
    'The request did not prove that it comes from the console.',
    'Reload the page and try again.',
  ),
  AUTH_SETUP_DONE: define(
    409,
    2,
    'This installation already has an administrator.',
    'Sign in, or run "backupx reset-password" on the server.',
  ),
  AUTH_SETUP_REQUIRED: define(
    409,
    4,
    'This installation has no administrator yet.',
    'Open the console and complete the set-up.',
  ),
  USER_NOT_FOUND: define(404, 6, 'There is no such user.', 'Reload the list of users.'),
  USER_NAME_TAKEN: define(409, 2, 'A user named {username} exists already.', 'Choose another name.'),
  USER_LAST_ADMIN: define(
    400,
    13,
    'This is the last administrator who can sign in.',
    'Make another user administrator first.',
  ),
  API_KEY_NOT_FOUND: define(404, 6, 'There is no such API key.', 'Reload the list of API keys.'),

  // --- storage ---------------------------------------------------------------------------------
  STORAGE_TARGET_NOT_FOUND: define(404, 6, 'There is no such storage target.', 'Reload the list of storage targets.'),
  STORAGE_TARGET_IN_USE: define(
    400,
    13,
    'Storage target {name} is used by {count} task(s) or record(s).',
    'Move the tasks and delete the records first.',
  ),
  STORAGE_TARGET_NAME_TAKEN: define(409, 2, 'A storage target named {name} exists already.', 'Choose another name.'),
  STORAGE_TYPE_UNKNOWN: define(400, 2, 'There is no storage of type {type}.', 'Known types: {known}.'),
  STORAGE_NOT_FOUND: define(
    404,
    6,
    'The object {key} is not in the storage.',
    'It may have been removed outside BackupX; verify the record.',
  ),
  STORAGE_PERMISSION: define(
    400,
    5,
    'The storage refused access: {reason}',
    'Check the credentials and the rights on the path or bucket.',
  ),
  STORAGE_UNREACHABLE: define(
    502,
    7,
    'The storage cannot be reached: {reason}',
    'Check address, network and TLS settings.',
    true,
  ),
  STORAGE_FULL: define(
    507,
    1,
    'The storage has no space left: {reason}',
    'Free space or shorten the retention, then run again.',
  ),
  STORAGE_INVALID_KEY: define(
    400,
    2,
    'The object name {key} is not allowed.',
    'Use relative names without "." or ".." parts.',
  ),
  STORAGE_CONFIG: define(
    400,
    2,
    'The storage settings are not usable: {reason}',
    'Correct the settings and test again.',
  ),
  STORAGE_TEST_FAILED: define(
    400,
    1,
    'The storage test failed at "{step}": {reason}',
    'Correct the settings and test again.',
  ),
  STORAGE_FAILED: define(
    502,
    1,
    'The storage reported an error: {reason}',
    'Try again; if it stays, look at the storage itself.',
    true,
  ),

  // --- tasks -----------------------------------------------------------------------------------
  BACKUP_TASK_NOT_FOUND: define(404, 6, 'There is no such task.', 'Reload the list of tasks.'),
  BACKUP_TASK_NAME_TAKEN: define(409, 2, 'A task named {name} exists already.', 'Choose another name.'),
  BACKUP_TASK_RUNNING: define(
    409,
    11,
    'The task {name} is already running (record {recordId}).',
    'Wait for it to end or cancel it.',
  ),
  BACKUP_TASK_DISABLED: define(400, 2, 'The task {name} is disabled.', 'Enable it first.'),
  BACKUP_TASK_FORBIDDEN: define(
    403,
    5,
    'This task does not belong to this node.',
    'Check which node the token belongs to.',
  ),
  SOURCE_TYPE_UNKNOWN: define(400, 2, 'There is no source of type {type}.', 'Known types: {known}.'),
  SOURCE_NOT_FOUND: define(
    400,
    6,
    'The path {path} does not exist on {node}.',
    'Check the path; it is read on that machine.',
  ),
  SOURCE_NOT_READABLE: define(
    400,
    5,
    'Nothing under {path} could be read: {reason}',
    'Run BackupX as a user who may read it, or choose another path.',
  ),
  SOURCE_FAILED: define(500, 1, 'Reading the source failed: {reason}', 'See the log of the record.'),

  // --- records ---------------------------------------------------------------------------------
  BACKUP_RECORD_NOT_FOUND: define(
    404,
    6,
    'There is no such record.',
    'Reload the list; it may have been removed by the retention.',
  ),
  BACKUP_RECORD_FORBIDDEN: define(
    403,
    5,
    'This record does not belong to this node.',
    'Check which node the token belongs to.',
  ),
  BACKUP_RECORD_LOCKED: define(409, 11, 'The record is locked.', 'Unlock it first.'),
  BACKUP_RECORD_ACTIVE: define(409, 11, 'The record is still running.', 'Cancel it or wait for its end.'),
  BACKUP_RECORD_NOT_ACTIVE: define(409, 1, 'The record has already ended.', 'Nothing is left to cancel.'),
  BACKUP_RECORD_NO_ARTIFACT: define(
    400,
    6,
    'The record has no stored artifact.',
    'Choose a record that ended with success or warning.',
  ),
  RESTORE_RECORD_NOT_FOUND: define(404, 6, 'There is no such restore record.', 'Reload the list of restores.'),
  RESTORE_RECORD_FORBIDDEN: define(
    403,
    5,
    'This restore does not belong to this node.',
    'Check which node the token belongs to.',
  ),
  RESTORE_NOTHING_WRITTEN: define(
    400,
    1,
    'The restore wrote nothing: {reason}',
    'Check the selected paths and the overwrite mode.',
  ),
  RESTORE_TARGET_INVALID: define(
    400,
    2,
    'The restore target {path} cannot be used: {reason}',
    'Choose an absolute folder that BackupX may write to.',
  ),

  // --- artifacts -------------------------------------------------------------------------------
  ARTIFACT_DAMAGED: define(
    422,
    8,
    'The artifact is damaged: {reason}',
    'Restore from another record or another copy; nothing was overwritten.',
  ),
  ARTIFACT_KEY_MISSING: define(
    400,
    12,
    'The artifact is encrypted for a key this installation does not hold.',
    'Use the recovery kit of the installation that wrote it.',
  ),
  ARTIFACT_KEY_WRONG: define(
    400,
    12,
    'The key does not open this artifact.',
    'Use the recovery kit of the installation that wrote it.',
  ),
  ARTIFACT_FORMAT: define(
    422,
    8,
    'The artifact is not in a known format: {reason}',
    'Check that the object belongs to this record.',
  ),

  // --- repositories ----------------------------------------------------------------------------
  REPOSITORY_NOT_FOUND: define(
    404,
    10,
    'There is no repository at {where}.',
    'Check the address; "backupx repo init" makes a new one.',
  ),
  REPOSITORY_EXISTS: define(
    409,
    2,
    'There is a repository at {where} already.',
    'Adopt it, or choose another folder for the new one.',
  ),
  REPOSITORY_UNSUPPORTED: define(
    400,
    2,
    'The repository cannot be used: {reason}',
    'It may have been made by a newer program, or its configuration is damaged.',
  ),
  REPOSITORY_WRONG_PASSWORD: define(
    400,
    12,
    'No key of the repository is opened by this password.',
    'Check the password; the recovery kit of the repository has it.',
  ),
  REPOSITORY_LOCKED: define(
    409,
    11,
    'The repository is locked: {holder}.',
    'Wait for that work to end. If it is certainly dead: "backupx repo unlock".',
    true,
  ),
  REPOSITORY_LOCK_LOST: define(
    409,
    11,
    'The lock on the repository could not be kept: {reason}',
    'Run it again; what was stored so far is used again.',
    true,
  ),
  REPOSITORY_DAMAGED: define(
    422,
    8,
    'The repository is damaged: {reason}',
    'Run "backupx repo check"; it names what is damaged and what still restores.',
  ),
  REPOSITORY_APPEND_ONLY: define(
    403,
    5,
    'This access to the repository may add but not delete.',
    'Deleting is left to the master.',
  ),
  REPOSITORY_FORBIDDEN: define(
    403,
    5,
    'This access does not belong to this repository.',
    'Check the address and the token.',
  ),
  REPOSITORY_IN_USE: define(
    400,
    13,
    'The repository {name} is still used by {count} task(s) or record(s).',
    'Move these tasks to another mode or repository and delete the records first.',
  ),
  REPOSITORY_BUSY: define(
    409,
    1,
    'Maintenance of {name} is running already (record {recordId}).',
    'Wait for it to end, or cancel it first.',
  ),
  MAINTENANCE_RECORD_NOT_FOUND: define(
    404,
    6,
    'There is no such maintenance record.',
    'Reload the list; it may be too old.',
  ),
  MAINTENANCE_RECORD_FORBIDDEN: define(
    403,
    5,
    'This maintenance does not belong to this node.',
    'Check which node the token belongs to.',
  ),
  SNAPSHOT_NOT_FOUND: define(
    404,
    6,
    'There is no snapshot {id} in the repository.',
    'List the snapshots; it may have been forgotten.',
  ),
  SNAPSHOT_AMBIGUOUS: define(400, 2, 'Several snapshots begin with {id}.', 'Give more characters of the id.'),

  // --- nodes and agents ------------------------------------------------------------------------
  NODE_NOT_FOUND: define(404, 6, 'There is no such node.', 'Reload the list of servers.'),
  NODE_NAME_TAKEN: define(409, 2, 'A node named {name} exists already.', 'Choose another name.'),
  NODE_OFFLINE: define(400, 7, '{node} is offline.', 'Start the agent on {node}.', true),
  NODE_HAS_TASKS: define(400, 13, '{node} is still used by {count} task(s).', 'Move or delete these tasks first.'),
  NODE_DELETE_LOCAL: define(400, 2, 'The local node cannot be deleted.', 'It is the machine the master runs on.'),
  NODE_INVALID_TOKEN: define(
    401,
    4,
    'The node token is missing or unknown.',
    'Create the server again in the console and use its new token.',
  ),
  AGENT_COMMAND_NOT_FOUND: define(404, 6, 'There is no such command.', 'It may have been removed after it ended.'),
  AGENT_COMMAND_FORBIDDEN: define(
    403,
    5,
    'This command belongs to another node.',
    'Check which node the token belongs to.',
  ),
  AGENT_COMMAND_TIMEOUT: define(
    504,
    124,
    '{node} did not answer within {seconds} s.',
    'Check that the agent is running and not busy with an older version.',
    true,
  ),
  AGENT_FAILED: define(502, 1, '{node} reported: {reason}', 'See the log of the agent on that machine.'),
  MASTER_UNREACHABLE: define(
    503,
    7,
    'The master {url} cannot be reached: {reason}',
    'Check the address, the network and the TLS settings.',
    true,
  ),
  MASTER_WRONG_CONTENT: define(
    502,
    7,
    '{url} did not answer like a BackupX master.',
    'A proxy may be in the way; forward /api/ unchanged.',
  ),

  // --- file system -----------------------------------------------------------------------------
  PATH_NOT_FOUND: define(
    404,
    6,
    'The path {path} does not exist.',
    'Check the spelling; it is looked up on that machine.',
  ),
  PATH_NOT_DIRECTORY: define(400, 2, '{path} is not a folder.', 'Choose a folder.'),
  PATH_PERMISSION: define(403, 5, 'Reading {path} is not permitted.', 'Run BackupX as a user who may read it.'),
  PATH_INVALID: define(400, 2, 'The path {path} is not allowed: {reason}', 'Use an absolute path.'),
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof errorCatalog;

/** True when `code` is in the catalogue. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCatalog, code);
}

export type ErrorParams = Readonly<Record<string, string | number>>;

/** One field that did not validate. `path` is dotted (`storageTargetIds.0`), `code` is stable, `message` is English. */
export interface FieldProblem {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** Fills `{name}` placeholders; unknown names stay as they are so that a mistake is visible. */
export function fillTemplate(template: string, params: ErrorParams): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly fields?: readonly FieldProblem[];
}

/** The only error class that crosses a module border on purpose. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly fields: readonly FieldProblem[];

  constructor(code: ErrorCode, params: ErrorParams = {}, options: AppErrorOptions = {}) {
    super(fillTemplate(errorCatalog[code].message, params), { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.params = params;
    this.fields = options.fields ?? [];
  }

  get definition(): ErrorDefinition {
    return errorCatalog[this.code];
  }

  get status(): number {
    return this.definition.status;
  }

  get retryable(): boolean {
    return this.definition.retryable;
  }

  get hint(): string {
    return fillTemplate(this.definition.hint, this.params);
  }

  /** Plain data for a thread or process border; `AppError.fromJSON` is the way back. */
  toJSON(): AppErrorData {
    return { code: this.code, params: this.params, fields: this.fields };
  }

  static fromJSON(data: AppErrorData): AppError {
    return new AppError(data.code, data.params, { fields: data.fields });
  }
}

export interface AppErrorData {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly fields?: readonly FieldProblem[];
}

/** Returns `error` itself when it is an AppError, otherwise one that carries it as its cause. */
export function toAppError(error: unknown, fallback: ErrorCode = 'INTERNAL', params: ErrorParams = {}): AppError {
  if (error instanceof AppError) return error;
  return new AppError(fallback, params, { cause: error });
}
