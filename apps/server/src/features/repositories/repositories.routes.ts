/** Repositories: list, make, take in, change, forget, recovery kit, token of foreign clients. */
import { randomBytes } from 'node:crypto';
import { roleAllows } from '@backupx/contracts/api/auth';
import { type Repository, repositoryRoutes } from '@backupx/contracts/api/repositories';
import { AppError } from '@backupx/contracts/errors';
import { nextTime } from '../../dispatch/repositories/maintenance-effects.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { repositoryUse } from '../../stores/repository-use.ts';
import { adoptRepository, createRepository } from './add-repository.ts';
import { gatewayPathOf, repositoryAnswers } from './answer-repository.ts';
import { readKit } from './read-kit.ts';
import type { RepositoriesFeatureDeps } from './repositories-deps.ts';
import { hashGatewayToken } from './repository-directory.ts';
import { writeRepositoryKit, writeRepositoryKitPage } from './write-repository-kit.ts';

const DEFAULT_PAGE_SIZE = 50;

function planColumns(row: RepositoryRow, change: { pruneEveryDays?: number; checkEveryDays?: number }, now: Date) {
  const prune = change.pruneEveryDays;
  const check = change.checkEveryDays;
  return {
    ...(prune === undefined || prune === row.prune_every_days
      ? {}
      : { prune_every_days: prune, next_prune_at: nextTime(now, prune) }),
    ...(check === undefined || check === row.check_every_days
      ? {}
      : { check_every_days: check, next_check_at: nextTime(now, check) }),
  };
}

async function removeRepository(deps: RepositoriesFeatureDeps, id: number): Promise<RepositoryRow> {
  return await deps.db.transaction().execute(async (trx) => {
    const row = await repositoriesStore.get(trx, id);
    const { recordCount, taskCount } = (await repositoryUse(trx, [id]))(id);
    const leases = (await repositoryLeasesStore.openOfRepository(trx, id)).length;
    const count = recordCount + taskCount + leases;
    if (count > 0) throw new AppError('REPOSITORY_IN_USE', { name: row.name, count });
    await repositoriesStore.remove(trx, id);
    return row;
  });
}

function asNameTaken(error: unknown): never {
  if (!isUniqueViolation(error)) throw error;
  const fields = [{ path: 'name', code: 'taken', message: 'another repository has this name' }];
  throw new AppError('INVALID_INPUT', {}, { fields, cause: error });
}

export function repositoriesRoutes(deps: RepositoriesFeatureDeps): BoundRoute[] {
  const { db, clock, bus } = deps;

  async function show(id: number): Promise<Repository> {
    const [answer] = await repositoryAnswers(deps, [await repositoriesStore.view(db, id)]);
    if (!answer) throw new AppError('REPOSITORY_NOT_FOUND', { where: `id ${id}` });
    return answer;
  }

  async function changed(id: number): Promise<Repository> {
    bus.publish({ type: 'repository_changed', repositoryId: id });
    return await show(id);
  }

  return [
    bind(repositoryRoutes.list, async ({ query }) => {
      const limit = query.pageSize ?? DEFAULT_PAGE_SIZE;
      const page = { limit, offset: ((query.page ?? 1) - 1) * limit };
      const { items, total } = await repositoriesStore.list(db, query, page);
      return { items: await repositoryAnswers(deps, items), total };
    }),
    bind(repositoryRoutes.get, ({ params }) => show(params.id)),
    bind(repositoryRoutes.create, async ({ body, actor, audit }) => {
      const { id } = await createRepository(deps, body, audit);
      const repository = await changed(id);
      const mayHaveKit = actor.kind === 'user' && roleAllows(actor.role, 'admin');
      return { repository, recoveryKit: mayHaveKit ? writeRepositoryKit(await readKit(deps, id)) : null };
    }),
    bind(repositoryRoutes.adopt, async ({ body, audit }) => {
      const { id, snapshotCount } = await adoptRepository(deps, body, audit);
      const repository = await changed(id);
      return { repository, snapshotCount };
    }),
    bind(repositoryRoutes.update, async ({ params, body, audit }) => {
      const row = await repositoriesStore.get(db, params.id);
      const now = clock.now();
      await repositoriesStore
        .update(db, row.id, {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.quotaBytes === undefined ? {} : { quota_bytes: body.quotaBytes }),
          ...planColumns(row, body, now),
          updated_at: now.toISOString(),
        })
        .catch(asNameTaken);
      audit({ target: row.name, detail: Object.keys(body).join(', ') });
      return await changed(row.id);
    }),
    bind(repositoryRoutes.remove, async ({ params, audit }) => {
      const row = await removeRepository(deps, params.id);
      audit({ target: row.name });
      bus.publish({ type: 'repository_changed', repositoryId: row.id });
      return ok;
    }),
    ...secretRoutes(deps),
  ];
}

/** What administrators alone may see or give away. */
function secretRoutes(deps: RepositoriesFeatureDeps): BoundRoute[] {
  const { db, clock } = deps;
  return [
    bind(repositoryRoutes.issueToken, async ({ params, audit }) => {
      const row = await repositoriesStore.get(db, params.id);
      audit({ target: row.name });
      const path = gatewayPathOf(row);
      if (path === '') {
        const hint = 'It lies on the disk of another server, which the master cannot reach.';
        throw new AppError('NOT_SUPPORTED', { what: `Serving the repository ${row.name}`, hint });
      }
      const token = `bxr_${row.id}_${randomBytes(32).toString('base64url')}`;
      await repositoriesStore.update(db, row.id, { gateway_token_hash: hashGatewayToken(token) });
      return { username: `repository-${row.id}`, token, path };
    }),
    bind(repositoryRoutes.revokeToken, async ({ params, audit }) => {
      const row = await repositoriesStore.get(db, params.id);
      audit({ target: row.name });
      await repositoriesStore.update(db, row.id, { gateway_token_hash: null });
      return ok;
    }),
    bind(repositoryRoutes.recoveryKit, async ({ params, query, audit, reply }) => {
      const kit = await readKit(deps, params.id);
      audit({ target: kit.name, detail: query.format });
      await repositoriesStore.update(db, params.id, { recovery_kit_at: clock.now().toISOString() });
      reply.header('cache-control', 'no-store');
      if (query.format === 'html') {
        reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-modals");
        reply.type('text/html; charset=utf-8').send(writeRepositoryKitPage(kit));
        return undefined;
      }
      reply.header('content-disposition', `attachment; filename="backupx-repository-${params.id}-recovery-kit.txt"`);
      reply.type('text/plain; charset=utf-8').send(writeRepositoryKit(kit));
      return undefined;
    }),
  ];
}
