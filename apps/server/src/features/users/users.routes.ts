/** Users: list, create, change, delete. The last administrator who can sign in stays one. */
import { userRoutes } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { hashPassword } from '../../stores/hash-password.ts';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { isPaged } from '../../stores/list-window.ts';
import { sessionsStore } from '../../stores/sessions.store.ts';
import { toUser, type UserRow, usersStore } from '../../stores/users.store.ts';

/** Runs a change in a transaction and refuses it when no administrator would be left. */
async function keepAnAdmin(db: Db, change: (trx: Db) => Promise<UserRow>): Promise<UserRow> {
  return await db.transaction().execute(async (trx) => {
    const row = await change(trx);
    if ((await usersStore.countAdmins(trx)) === 0) throw new AppError('USER_LAST_ADMIN');
    return row;
  });
}

async function refuseTakenName(db: Db, username: string, ownId: number | null): Promise<void> {
  const other = await usersStore.findByName(db, username);
  if (other && other.id !== ownId) throw new AppError('USER_NAME_TAKEN', { username });
}

function asNameTaken(username: string) {
  return (error: unknown): never => {
    throw isUniqueViolation(error) ? new AppError('USER_NAME_TAKEN', { username }, { cause: error }) : error;
  };
}

export function userRoutesOf({ db, clock }: { readonly db: Db; readonly clock: Clock }): BoundRoute[] {
  return [
    bind(userRoutes.list, async ({ query }) => {
      const { rows, total } = await usersStore.list(db, query);
      const items = rows.map(toUser);
      return isPaged(query) ? { items, total } : items;
    }),

    bind(userRoutes.create, async ({ body, audit }) => {
      audit({ target: body.username, detail: `role ${body.role}` });
      await refuseTakenName(db, body.username, null);
      const row = await usersStore
        .insert(db, {
          username: body.username,
          display_name: body.displayName,
          role: body.role,
          password_hash: await hashPassword(body.password),
          enabled: body.enabled ? 1 : 0,
          created_at: clock.now().toISOString(),
          last_login_at: null,
        })
        .catch(asNameTaken(body.username));
      return toUser(row);
    }),

    bind(userRoutes.update, async ({ params, body, audit }) => {
      audit({ target: body.username, detail: `role ${body.role}${body.enabled ? '' : ', disabled'}` });
      const passwordHash = body.password === undefined ? null : await hashPassword(body.password);
      const row = await keepAnAdmin(db, async (trx) => {
        await refuseTakenName(trx, body.username, params.id);
        const updated = await usersStore.update(trx, params.id, {
          username: body.username,
          display_name: body.displayName,
          role: body.role,
          enabled: body.enabled ? 1 : 0,
          ...(passwordHash === null ? {} : { password_hash: passwordHash }),
        });
        if (!updated) throw new AppError('USER_NOT_FOUND');
        if (passwordHash !== null || !body.enabled) await sessionsStore.removeOfUser(trx, params.id);
        return updated;
      }).catch(asNameTaken(body.username));
      return toUser(row);
    }),

    bind(userRoutes.remove, async ({ params, audit }) => {
      const removed = await keepAnAdmin(db, async (trx) => {
        const row = await usersStore.find(trx, params.id);
        if (!row) throw new AppError('USER_NOT_FOUND');
        await usersStore.remove(trx, params.id);
        return row;
      });
      audit({ target: removed.username });
      return ok;
    }),
  ];
}
