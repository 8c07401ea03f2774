/**
 * Users and roles, as the server keeps them: names, rights and what a password is checked with, never a password.
 * Stored as one line of extended JSON each, so that equal ones give equal bytes.
 */
import { AppError } from '@backupx/contracts/errors';
import { BSON } from 'mongodb';
import { byBytes } from '../../ports/database-names.ts';
import type { MongodbConnection } from './connection.ts';

const { EJSON } = BSON;

type Account = Record<string, unknown> & { readonly _id: unknown };

export interface Accounts {
  readonly users: readonly Account[];
  readonly roles: readonly Account[];
}

const COLLECTIONS = { users: 'system.users', roles: 'system.roles' } as const;
/** Where they wait to be taken over; nothing else goes there. */
const STAGED = { users: 'backupx_users', roles: 'backupx_roles' } as const;

async function readAccounts(connection: MongodbConnection, kind: keyof Accounts): Promise<Account[]> {
  const found = await connection.attempt('read users and roles', () =>
    connection.client.db('admin').collection(COLLECTIONS[kind]).find({}, { signal: connection.signal }).toArray(),
  );
  return (found as Account[]).sort((a, b) => byBytes(String(a._id), String(b._id)));
}

/** Null when the user may not read them. Throws DATABASE_*. */
export async function readUsers(connection: MongodbConnection): Promise<string | null> {
  try {
    const users = await readAccounts(connection, 'users');
    const roles = await readAccounts(connection, 'roles');
    const lines = (accounts: readonly Account[]) =>
      accounts.map((one) => ` ${EJSON.stringify(one, { relaxed: false })}`);
    return `{"format":1,"users":[\n${lines(users).join(',\n')}\n],"roles":[\n${lines(roles).join(',\n')}\n]}\n`;
  } catch (error) {
    if (error instanceof AppError && error.code === 'DATABASE_PERMISSION') return null;
    throw error;
  }
}

/** Throws ARTIFACT_DAMAGED when it is none. */
export function parseUsers(text: string): Accounts {
  const damaged = (cause?: unknown) =>
    new AppError('ARTIFACT_DAMAGED', { reason: 'its users and roles cannot be read' }, { cause });
  try {
    const parsed = EJSON.parse(text, { relaxed: false }) as Partial<Accounts>;
    if (!isAccounts(parsed.users) || !isAccounts(parsed.roles)) throw damaged();
    return { users: parsed.users, roles: parsed.roles };
  } catch (error) {
    throw error instanceof AppError ? error : damaged(error);
  }
}

const isAccounts = (list: unknown): list is Account[] =>
  Array.isArray(list) &&
  list.every((one) => typeof one?._id === 'string' && typeof one.db === 'string' && Array.isArray(one.roles));

/** Makes those that are missing; answers how many. What exists is left as it is. Throws DATABASE_*. */
export async function restoreUsers(connection: MongodbConnection, accounts: Accounts): Promise<number> {
  const admin = connection.client.db('admin');
  const doing = 'make users and roles';
  const missing = {
    users: await missingOf(connection, 'users', accounts),
    roles: await missingOf(connection, 'roles', accounts),
  };
  const count = missing.users.length + missing.roles.length;
  if (count === 0) return 0;
  const drop = async () => {
    for (const name of Object.values(STAGED)) await admin.dropCollection(name).catch(() => {});
  };
  try {
    await drop();
    const command: Record<string, unknown> = { _mergeAuthzCollections: 1, db: '', drop: false };
    for (const kind of ['users', 'roles'] as const) {
      if (missing[kind].length === 0) continue;
      const staged = missing[kind] as unknown as { _id: never }[];
      await connection.attempt(doing, () => admin.collection(STAGED[kind]).insertMany(staged));
      command[kind === 'users' ? 'tempUsersCollection' : 'tempRolesCollection'] = `admin.${STAGED[kind]}`;
    }
    await connection.command('admin', command, { doing });
    return count;
  } finally {
    await drop();
  }
}

async function missingOf(
  connection: MongodbConnection,
  kind: keyof Accounts,
  accounts: Accounts,
): Promise<readonly Account[]> {
  const there = new Set((await readAccounts(connection, kind)).map(({ _id }) => String(_id)));
  return accounts[kind].filter(({ _id }) => !there.has(String(_id)));
}
