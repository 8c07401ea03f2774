/** Who else is connected to a database, as far as the user may see: his own sessions, with the right PROCESS all. */
import type { DatabaseSession } from '@backupx/contracts/jobs';
import type { MysqlConnection } from './connection.ts';
import { quoteText } from './sql-text.ts';

/** The same columns on both flavours and all versions. */
const LIST = `SELECT ID, USER, HOST, COMMAND, DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL GREATEST(TIME, 0) SECOND, '%Y-%m-%dT%TZ')
  FROM information_schema.PROCESSLIST`;
/** Only where the performance schema is on. */
const PROGRAMS = `SELECT PROCESSLIST_ID, ATTR_VALUE FROM performance_schema.session_connect_attrs
  WHERE ATTR_NAME = 'program_name'`;

export async function sessionsOf(
  connection: Pick<MysqlConnection, 'query'>,
  database: string,
): Promise<DatabaseSession[]> {
  const rows = await connection.query(
    `${LIST} WHERE DB = ${quoteText(database)} AND ID <> CONNECTION_ID() ORDER BY ID`,
  );
  if (rows.length === 0) return [];
  // A user who may not read them, or a server that keeps none: then the program stays unknown.
  const programs = new Map(
    (await connection.query(PROGRAMS).catch(() => [])).map(([id = '', name = '']) => [id, name]),
  );
  return rows.map(([id = '', user = '', address = '', command = '', since = '']) => {
    return { id, user, address, program: programs.get(id) || command, since: since === 'NULL' ? null : since || null };
  });
}

const LISTED = 10;

/** For messages. */
export function describeSessions(sessions: readonly DatabaseSession[]): string {
  const more = sessions.length > LISTED ? ` and ${sessions.length - LISTED} more` : '';
  const list = sessions
    .slice(0, LISTED)
    .map(({ id, user, address, program }) => `${user}@${address} (${program} ${id})`);
  return list.join(', ') + more;
}
