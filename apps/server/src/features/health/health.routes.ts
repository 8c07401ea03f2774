/** Is the process alive, is it ready, and its metrics. */
import { healthRoutes } from '@backupx/contracts/api/system';
import { AppError } from '@backupx/contracts/errors';
import { sql } from 'kysely';
import type { Db } from '../../dispatch/ports.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';

export interface HealthDeps {
  readonly db: Db;
  /** True from the moment the stop begins. */
  readonly isStopping: () => boolean;
}

/** Every route is there twice, as monitoring set-ups for the predecessor expect: at the root and below `/api`. */
function twice(route: BoundRoute): BoundRoute[] {
  const { contract } = route;
  return [route, { ...route, contract: { ...contract, path: `/api${contract.path}` } }];
}

export function healthRoutesOf({ db, isStopping }: HealthDeps): BoundRoute[] {
  const ready = bind(healthRoutes.ready, async () => {
    if (isStopping()) throw new AppError('SHUTTING_DOWN');
    // The database was migrated before this route existed; a failing query answers 500.
    await sql`select 1`.execute(db);
    return { status: 'ready' as const };
  });
  const health = bind(healthRoutes.health, () => ({ status: 'ok' as const }));
  return [...twice(health), ...twice(ready)];
}
