import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayCredentials } from './repository-directory.ts';

const MAX_LENGTH = 512;
/** API keys and sessions of the console: they never open a repository, so they are not even looked up. */
const CONSOLE_TOKEN = /^(bax_|bxs_)/;

/** What the client presented: a node token in a header, or user and token of HTTP basic authentication. Null: nothing usable. */
export function readCredentials(headers: IncomingHttpHeaders): GatewayCredentials | null {
  const found = fromAgentHeader(headers['x-agent-token']) ?? fromAuthorization(headers.authorization ?? '');
  if (!found || found.token === '' || found.token.length > MAX_LENGTH || CONSOLE_TOKEN.test(found.token)) return null;
  return (found.username?.length ?? 0) > MAX_LENGTH ? null : found;
}

function fromAgentHeader(value: string | string[] | undefined): GatewayCredentials | null {
  return typeof value === 'string' && value.trim() !== '' ? { username: null, token: value.trim() } : null;
}

function fromAuthorization(value: string): GatewayCredentials | null {
  const [, scheme = '', rest = ''] = /^(Basic|Bearer) +(\S+)$/i.exec(value.trim()) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { username: null, token: rest };
  const text = Buffer.from(rest, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { username: text.slice(0, colon), token: text.slice(colon + 1) };
}
