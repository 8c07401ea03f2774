/** What the user of a task may do, as the server tells it, and what is lost without a right. */
import type { MongodbConnection } from './connection.ts';

interface Privilege {
  readonly resource: { readonly db?: string; readonly collection?: string; readonly anyResource?: boolean };
  readonly actions: readonly string[];
}

/** Null: nobody has logged in, or the server does not tell; then nothing is missing as far as we know. */
export async function readPrivileges(connection: MongodbConnection): Promise<readonly Privilege[] | null> {
  const answer = await connection.command('admin', { connectionStatus: 1, showPrivileges: true });
  const info = answer.authInfo as
    | { authenticatedUsers?: unknown[]; authenticatedUserPrivileges?: Privilege[] }
    | undefined;
  if (!info?.authenticatedUsers?.length) return null;
  return info.authenticatedUserPrivileges ?? null;
}

function may(privileges: readonly Privilege[], action: string, db: string, collection: string): boolean {
  return privileges.some(({ resource, actions }) => {
    if (!actions.includes(action)) return false;
    if (resource.anyResource) return true;
    const isDatabase = resource.db === '' || resource.db === db;
    return isDatabase && (resource.collection === '' || resource.collection === collection);
  });
}

const NEEDED = [
  ['find', 'documents cannot be read'],
  ['listCollections', 'collections are not seen'],
  ['listIndexes', 'indexes are not seen'],
] as const;

/** Rights that a whole dump of this database needs and that are missing, each with what is lost without it. */
export function missingRights(privileges: readonly Privilege[] | null, database: string): string[] {
  if (privileges === null) return [];
  return NEEDED.filter(([action]) => !may(privileges, action, database, '')).map(
    ([action, loss]) => `without the right ${action} ${loss}`,
  );
}

export function mayReadUsers(privileges: readonly Privilege[] | null): boolean {
  return privileges === null || may(privileges, 'find', 'admin', 'system.users');
}

/** A statement for mongosh that makes a user for backups, who may change nothing. */
export function readOnlyUserStatement(databases: readonly string[]): string {
  const roles =
    databases.length === 0 ? [{ role: 'backup', db: 'admin' }] : databases.map((db) => ({ role: 'read', db }));
  const list = roles.map(({ role, db }) => `    { role: ${JSON.stringify(role)}, db: ${JSON.stringify(db)} },`);
  return [
    'db.getSiblingDB("admin").createUser({',
    '  user: "backupx",',
    '  pwd: "…a long password…",',
    '  roles: [',
    ...list,
    '  ],',
    '})',
    '',
  ].join('\n');
}
