/**
 * What will keep a copy of a server from being made ready, looked at before the first is made: encrypted files whose keys
 * only the server can get at. The copy itself is whole, and who has the keys can make it ready by hand.
 */
import type { MysqlConnection } from '../connection.ts';
import { isSystemFolder } from './backup-notes.ts';

type Server = Pick<MysqlConnection, 'server' | 'query'>;

const KEY_PLUGINS = `SELECT PLUGIN_NAME, @@GLOBAL.plugin_dir FROM information_schema.PLUGINS
  WHERE PLUGIN_TYPE = 'ENCRYPTION' AND PLUGIN_STATUS = 'ACTIVE'`;
/** Files that are encrypted; tablespaces whose key has a version are. */
const MARIADB_COUNT = `SELECT (SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION > 0)
  + @@GLOBAL.innodb_encrypt_log + @@GLOBAL.aria_encrypt_tables`;
const MYSQL_COUNT = `SELECT (SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION = 'Y')
  + @@GLOBAL.innodb_redo_log_encrypt + @@GLOBAL.innodb_undo_log_encrypt`;

/** Sentences; none: a restore and a deep verification can make it ready. */
export async function encryptionDoubts(connection: Server): Promise<string[]> {
  if (connection.server.flavour === 'mysql') return await mysqlDoubts(connection);
  const plugins = await connection.query(KEY_PLUGINS);
  const unknown = plugins.filter(
    ([name = '', folder = '']) => name !== 'file_key_management' || !isSystemFolder(folder),
  );
  if (unknown.length === 0 || (await countOf(connection, MARIADB_COUNT)) === 0) return [];
  return unknown.map(([name = '', folder = '']) =>
    name === 'file_key_management'
      ? `Its files are encrypted and the plugin with their keys lies in ${folder}: only plugins below /usr or /opt are loaded to make a copy ready.`
      : `Its files are encrypted with keys of the plugin ${name}: a copy is whole, but BackupX can neither make it ready nor prove it; only keys in a file (file_key_management) can be used for that.`,
  );
}

async function mysqlDoubts(connection: Server): Promise<string[]> {
  const count = await countOf(connection, MYSQL_COUNT);
  if (count === 0) return [];
  return [
    'Its files are encrypted: a copy is whole, but BackupX can neither make it ready nor prove it. Restore the files into a folder and run xtrabackup --prepare there, with the options of your keyring.',
  ];
}

/** 0 where nobody can say: a server from before there was encryption, or one without the tables. */
async function countOf(connection: Server, statement: string): Promise<number> {
  const [[count = '0'] = []] = await connection.query(statement).catch(() => []);
  return Number(count) || 0;
}
