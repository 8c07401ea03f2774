import { define, type ErrorDefinition } from './define.ts';

/** Errors of the master, its users, nodes and agents. */
export const controlPlaneErrors = {
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

  // --- nodes and agents ------------------------------------------------------------------------
  NODE_NOT_FOUND: define(404, 6, 'There is no such node.', 'Reload the list of servers.'),
  NODE_NAME_TAKEN: define(409, 2, 'A node named {name} exists already.', 'Choose another name.'),
  NODE_OFFLINE: define(400, 7, '{node} is offline.', 'Start the agent on {node}.', true),
  NODE_HAS_TASKS: define(400, 13, '{node} is still used by {count} task(s).', 'Move or delete these tasks first.'),
  NODE_HAS_REPOSITORIES: define(
    400,
    13,
    'The disk of {node} holds {count} repository(ies), which only this node can reach.',
    'Copy what is still needed to another storage target, then remove these repositories from the list.',
  ),
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
} as const satisfies Record<string, ErrorDefinition>;
