/** Configuration that lies outside the data directory (Debian: `/etc/postgresql`), which a base backup does not have. */
import type { PsqlSession } from '../psql-session.ts';
import { quoteLiteral } from '../sql-text.ts';
import { KEPT_SETTINGS } from './cluster-facts.ts';

export interface ConfigFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export interface ConfigFiles {
  /** Null: the user may not know. */
  readonly dataFolder: string | null;
  readonly files: readonly ConfigFile[];
  /** Paths that are outside and may not be read. */
  readonly unread: readonly string[];
}

const NAMES = { config_file: 'postgresql.conf', hba_file: 'pg_hba.conf', ident_file: 'pg_ident.conf' } as const;
const MAY_KNOW = `SELECT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS "mayKnow",
  has_function_privilege('pg_catalog.pg_read_file(text)', 'EXECUTE')
    AND pg_has_role(current_user, 'pg_read_server_files', 'USAGE') AS "mayRead"`;

/** Reads what lies outside, as far as the user may. */
export async function readConfigFiles(session: PsqlSession): Promise<ConfigFiles> {
  const [rights] = await session.query<{ mayKnow: boolean; mayRead: boolean }>(MAY_KNOW);
  if (!rights?.mayKnow) return { dataFolder: null, files: [], unread: [] };
  const rows = await session.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name IN ('data_directory', ${Object.keys(NAMES).map(quoteLiteral).join(', ')})`,
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const dataFolder = settings.get('data_directory') ?? '';
  const outside = Object.entries(NAMES).flatMap(([setting, name]) => {
    const path = settings.get(setting) ?? '';
    return path === '' || path.startsWith(`${dataFolder}/`) ? [] : [{ name, path }];
  });
  if (!rights.mayRead) return { dataFolder, files: [], unread: outside.map(({ path }) => path) };
  const files: ConfigFile[] = [];
  for (const { name, path } of outside) {
    const [row] = await session.query<{ text: string }>(`SELECT pg_read_file(${quoteLiteral(path)}) AS text`);
    files.push({ name, path, text: row?.text ?? '' });
  }
  return { dataFolder, files, unread: [] };
}

/** Settings that name places of the original, whose files a copy must not use. */
const PLACES =
  /^\s*(data_directory|hba_file|ident_file|external_pid_file|include(_dir|_if_exists)?|stats_temp_directory)\b/i;

/** A `postgresql.conf` for a data directory that has none of its own: everything stays but places of the original. */
export function configForCopy(text: string): string {
  const lines = text.split('\n').map((line) => (PLACES.test(line) ? `# left out by BackupX: ${line}` : line));
  return lines.join('\n');
}

/** A configuration that starts, for when none was saved. */
function plainConfig(details: Readonly<Record<string, string>>): string {
  const lines = KEPT_SETTINGS.flatMap((name) => (details[name] === undefined ? [] : [`${name} = ${details[name]}`]));
  return `# Written by BackupX: the configuration of the original lies outside its data directory and was not saved.\n${lines.join('\n')}\n`;
}

/** Who runs the server may log in over its socket. */
const PLAIN_HBA = '# Written by BackupX: only the owner of the server, over its socket.\nlocal all all peer\n';

/** Gives a data directory that has no configuration the saved one, or a plain one; answers which, for people. */
export function writeConfiguration(
  writer: { has(name: string): boolean; text(name: string, text: string): void },
  saved: ReadonlyMap<string, string>,
  details: Readonly<Record<string, string>>,
): string {
  if (writer.has('postgresql.conf')) return 'its own, in the data directory';
  const [config, hba, ident] = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'].map((name) => saved.get(name));
  writer.text('postgresql.conf', config === undefined ? plainConfig(details) : configForCopy(config));
  if (!writer.has('pg_hba.conf')) writer.text('pg_hba.conf', hba ?? PLAIN_HBA);
  if (!writer.has('pg_ident.conf')) writer.text('pg_ident.conf', ident ?? '');
  return config === undefined ? 'a plain one, since none was saved' : 'the saved one, put into the data directory';
}
