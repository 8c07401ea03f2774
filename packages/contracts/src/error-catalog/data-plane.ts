import { define, type ErrorDefinition } from './define.ts';

/** Errors of what is backed up and where it goes. */
export const dataPlaneErrors = {
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
  VERIFY_RECORD_NOT_FOUND: define(404, 6, 'There is no such verification.', 'Reload the list; it may be too old.'),
  VERIFY_RECORD_FORBIDDEN: define(
    403,
    5,
    'This verification does not belong to this node.',
    'Check which node the token belongs to.',
  ),
  VERIFY_RUNNING: define(
    409,
    11,
    'The record is being verified already (verification {id}).',
    'Wait for it to end, or cancel it first.',
  ),
  SNAPSHOT_NOT_FOUND: define(
    404,
    6,
    'There is no snapshot {id} in the repository.',
    'List the snapshots; it may have been forgotten.',
  ),
  SNAPSHOT_AMBIGUOUS: define(400, 2, 'Several snapshots begin with {id}.', 'Give more characters of the id.'),
  SNAPSHOT_ENDLESS: define(
    422,
    8,
    'The snapshot names the same folders inside of each other again and again; it was given up at {path}.',
    'No backup program writes such a snapshot. Name the folders of it that are wanted.',
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
