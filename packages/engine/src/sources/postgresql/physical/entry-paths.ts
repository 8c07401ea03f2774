/**
 * Where what lies in an artifact, below `/postgresql-physical`: the data directory in `data`, and beside it what the
 * server sends at the very end, when its folder there is closed already.
 */

export const ROOT = '/postgresql-physical';
export const DATA = 'data';
export const WAL = 'wal';
export const TABLESPACES = 'tablespaces';
export const CONFIG = 'config';
export const CONTROL = 'pg_control';
export const MANIFEST = 'backup_manifest';
export const INVENTORY = 'inventory.json';

/** Where a file of a cluster goes in its data directory, as its manifest calls it (bytes as latin1 text). */
export const CONTROL_PATH = 'global/pg_control';
export const WAL_FOLDER = 'pg_wal';
export const TABLESPACE_FOLDER = 'pg_tblspc';

export type EntryPlace =
  /** `path` is below the data directory, of a tablespace below `pg_tblspc`; `''` is the data directory itself. */
  | { readonly kind: 'data' | 'wal' | 'control' | 'tablespace'; readonly path: string }
  | { readonly kind: 'manifest' | 'inventory'; readonly path: '' }
  /** `path`: one name. */
  | { readonly kind: 'config'; readonly path: string };

/** What a path of an artifact stands for, wherever its leading slash went; null for what is not ours or leads elsewhere. */
export function placeOf(path: Uint8Array): EntryPlace | null {
  const parts = Buffer.from(path).toString('latin1').replace(/^\/+/, '').split('/');
  if (`/${parts[0]}` !== ROOT || parts.some((part) => ['', '.', '..'].includes(part) || part.includes('\0')))
    return null;
  const [, kind, ...rest] = parts;
  // What is below there lies in the folders of tablespaces.
  if (kind === DATA && rest[0] === TABLESPACE_FOLDER && rest.length > 1) return null;
  if (kind === DATA) return { kind: 'data', path: rest.join('/') };
  if (rest.length === 0) return placeAtTop(kind);
  if (kind === WAL && rest.length === 1) return { kind: 'wal', path: `${WAL_FOLDER}/${rest[0]}` };
  if (kind === CONFIG && rest.length === 1) return { kind: 'config', path: rest[0] ?? '' };
  if (kind === TABLESPACES && /^\d+$/.test(rest[0] ?? '') && /^PG_\d+_\d+$/.test(rest[1] ?? 'PG_0_0'))
    return { kind: 'tablespace', path: `${TABLESPACE_FOLDER}/${rest.join('/')}` };
  return null;
}

function placeAtTop(name: string | undefined): EntryPlace | null {
  if (name === CONTROL) return { kind: 'control', path: CONTROL_PATH };
  if (name === MANIFEST) return { kind: 'manifest', path: '' };
  return name === INVENTORY ? { kind: 'inventory', path: '' } : null;
}

/** The inverse for a file that the server sends: its place in the artifact. Bytes as latin1 text. */
export function artifactPathOf(clusterPath: string): string {
  if (clusterPath === CONTROL_PATH) return `${ROOT}/${CONTROL}`;
  if (clusterPath === MANIFEST) return `${ROOT}/${MANIFEST}`;
  if (clusterPath.startsWith(`${WAL_FOLDER}/`)) return `${ROOT}/${WAL}/${clusterPath.slice(WAL_FOLDER.length + 1)}`;
  if (clusterPath.startsWith(`${TABLESPACE_FOLDER}/`))
    return `${ROOT}/${TABLESPACES}/${clusterPath.slice(TABLESPACE_FOLDER.length + 1)}`;
  return clusterPath === '' ? `${ROOT}/${DATA}` : `${ROOT}/${DATA}/${clusterPath}`;
}
