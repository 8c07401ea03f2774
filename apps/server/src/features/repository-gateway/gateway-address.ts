/** Addresses below `/r/`: which repository, and what of it. Names are checked here, so that no other ever reaches a storage. */
import type { FileType } from './repository-directory.ts';

/** What one address means. `repository` is decoded text of the client. */
export type GatewayAddress = { readonly repository: string } & (
  | { readonly kind: 'repository' }
  | { readonly kind: 'config' }
  | { readonly kind: 'list'; readonly type: FileType }
  | { readonly kind: 'file'; readonly type: FileType; readonly name: string }
);

const fileTypes: ReadonlySet<string> = new Set<FileType>(['data', 'keys', 'locks', 'snapshots', 'index']);
const MAX_REPOSITORY_LENGTH = 300;
const HASH_NAME = /^[0-9a-f]{64}$/;

/** True for the name of a file of a repository: SHA-256 in lower-case hex. */
export function isHashName(name: string): boolean {
  return HASH_NAME.test(name);
}

function decodeRepository(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment);
    return text !== '' && text.length <= MAX_REPOSITORY_LENGTH ? text : null;
  } catch {
    return null;
  }
}

/** Reads the path of a request (its query is ignored); null: nothing is ever at this address. */
export function parseGatewayAddress(url: string): GatewayAddress | null {
  const [, route, segment = '', type = '', name, ...more] = (url.split('?', 1)[0] ?? '').split('/');
  const repository = decodeRepository(segment);
  if (route !== 'r' || repository === null || more.length > 0) return null;
  if (type === '') return name === undefined ? { repository, kind: 'repository' } : null;
  if (type === 'config') return name === undefined ? { repository, kind: 'config' } : null;
  if (!fileTypes.has(type)) return null;
  if (name === undefined || name === '') return { repository, kind: 'list', type: type as FileType };
  return isHashName(name) ? { repository, kind: 'file', type: type as FileType, name } : null;
}

/** `prefix` is the folder of the repository, `''` for the root. */
export function storageKeyOf(prefix: string, address: Extract<GatewayAddress, { kind: 'config' | 'file' }>): string {
  const folder = prefix === '' ? '' : `${prefix}/`;
  if (address.kind === 'config') return `${folder}config`;
  const { type, name } = address;
  return type === 'data' ? `${folder}data/${name.slice(0, 2)}/${name}` : `${folder}${type}/${name}`;
}
