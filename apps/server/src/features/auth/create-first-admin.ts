/** The first administrator: by the console's set-up page, or by `backupx quickstart`. */
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { hashPassword } from '../../stores/hash-password.ts';
import { type UserRow, usersStore } from '../../stores/users.store.ts';

export interface FirstAdmin {
  readonly username: string;
  readonly password: string;
  readonly displayName?: string | undefined;
}

/** Throws AUTH_SETUP_DONE when there is any user; of two calls at the same time one wins. */
export async function createFirstAdmin(
  { db, clock }: { readonly db: Db; readonly clock: Clock },
  admin: FirstAdmin,
): Promise<UserRow> {
  if ((await usersStore.count(db)) > 0) throw new AppError('AUTH_SETUP_DONE');
  const passwordHash = await hashPassword(admin.password);
  return await db.transaction().execute(async (trx) => {
    if ((await usersStore.count(trx)) > 0) throw new AppError('AUTH_SETUP_DONE');
    return await usersStore.insert(trx, {
      username: admin.username,
      display_name: admin.displayName ?? '',
      role: 'admin',
      password_hash: passwordHash,
      enabled: 1,
      created_at: clock.now().toISOString(),
      last_login_at: null,
    });
  });
}
