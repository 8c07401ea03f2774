/** Sets a password from the command line of the server, when nobody can sign in any more. */
import { passwordSchema } from '@backupx/contracts/api/auth';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { auditLogStore } from '../../stores/audit-log.store.ts';
import { hashPassword } from '../../stores/hash-password.ts';
import { sessionsStore } from '../../stores/sessions.store.ts';
import { usersStore } from '../../stores/users.store.ts';

/** Also enables the user and ends all their sessions. Throws USER_NOT_FOUND and, for a weak password, INVALID_INPUT. */
export async function resetPassword(
  { db, clock }: { readonly db: Db; readonly clock: Clock },
  change: { readonly username: string; readonly password: string },
): Promise<void> {
  const valid = passwordSchema.safeParse(change.password);
  if (!valid.success) {
    const fields = valid.error.issues.map(({ code, message }) => ({ path: 'password', code, message }));
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  const passwordHash = await hashPassword(change.password);
  await db.transaction().execute(async (trx) => {
    const row = await usersStore.findByName(trx, change.username);
    if (!row) throw new AppError('USER_NOT_FOUND');
    await usersStore.update(trx, row.id, { password_hash: passwordHash, enabled: 1 });
    await sessionsStore.removeOfUser(trx, row.id);
    await auditLogStore.append(trx, {
      at: clock.now().toISOString(),
      action: 'auth.reset_password',
      username: 'command line',
      via: 'system',
      ip_address: '',
      target: row.username,
      detail: '',
      outcome: 'success',
    });
  });
}
