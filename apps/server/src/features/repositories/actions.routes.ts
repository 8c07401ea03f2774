/** Work on a repository. Long work becomes a maintenance record, the rest is answered at once. */
import { repositoryActionRoutes } from '@backupx/contracts/api/repository-actions';
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryKeysJob } from '@backupx/contracts/jobs';
import type { MaintenanceOptions } from '../../dispatch/repositories/start-maintenance.ts';
import { type Actor, type BoundRoute, bind } from '../../http/route-context.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { readMaintenance } from './maintenance.routes.ts';
import { nameOf, type RepositoriesFeatureDeps } from './repositories-deps.ts';
import { listAll, withKeeper } from './snapshots.routes.ts';

const ASK_TIMEOUT_MS = 60_000;

/** What was asked for, as the audit trail has it. */
function detailOf(options: MaintenanceOptions): string {
  const { kind, ...details } = options;
  if (kind === 'sweep') return '';
  const asked = Object.entries(details).filter(([name, value]) => name !== 'candidateIds' && value !== null);
  return JSON.stringify(Object.fromEntries(asked)).slice(0, 300);
}

type Audit = (entry: { target: string; detail?: string }) => void;

async function announce(
  { db }: RepositoriesFeatureDeps,
  repositoryId: number,
  { options, audit }: { options: MaintenanceOptions; audit: Audit },
): Promise<void> {
  const row = await repositoriesStore.get(db, repositoryId);
  audit({ target: row.name, detail: detailOf(options) });
}

export function repositoryActionsRoutes(deps: RepositoriesFeatureDeps): BoundRoute[] {
  const { db, ask } = deps;

  async function start(repositoryId: number, options: MaintenanceOptions, by: { actor: Actor; audit: Audit }) {
    await announce(deps, repositoryId, { options, audit: by.audit });
    const requestedBy = nameOf(by.actor);
    const id = await deps.dispatcher.startMaintenance({ repositoryId, options, trigger: 'manual', requestedBy });
    return await readMaintenance(deps, id);
  }

  /** The keys of a repository, or a change of them; `isCurrent` marks the one in the recovery kit. */
  async function keys(repositoryId: number, job: Pick<RepositoryKeysJob, 'action' | 'password' | 'keyId'>) {
    const { password } = repositoriesStore.openSecret(deps, await repositoriesStore.get(db, repositoryId));
    return await withKeeper(deps, repositoryId, async (access, nodeId) => {
      // Opened by the password, so that the key of the kit is known from the others.
      const repository = { ...access, unlock: { password } };
      const hostname = (await deps.nodes.get(nodeId)).hostname;
      return await ask(nodeId, { kind: 'repository_keys', repository, hostname, ...job }, ASK_TIMEOUT_MS);
    });
  }

  return [
    bind(repositoryActionRoutes.check, ({ params, body, ...by }) =>
      start(params.id, { kind: 'check', read: body.read }, by),
    ),
    bind(repositoryActionRoutes.prune, ({ params, body, ...by }) => start(params.id, { kind: 'prune', ...body }, by)),
    bind(repositoryActionRoutes.repair, ({ params, body, ...by }) => start(params.id, { kind: 'repair', ...body }, by)),
    bind(repositoryActionRoutes.copy, ({ params, body, ...by }) => start(params.id, { kind: 'copy', ...body }, by)),
    bind(repositoryActionRoutes.forget, async ({ params, body, ...by }) => {
      if ((body.snapshotIds === null) === (body.policy === null)) {
        const fields = [{ path: 'policy', code: 'either', message: 'send either snapshotIds or a policy' }];
        throw new AppError('INVALID_INPUT', {}, { fields });
      }
      const options = { kind: 'forget', ...body } as const;
      if (!body.policy || body.dryRun) return await start(params.id, options, by);
      // Also when the list cannot be had it is known who asked for what.
      await announce(deps, params.id, { options, audit: by.audit });
      const candidateIds = (await listAll(deps, params.id)).map(({ id }) => id);
      return await start(params.id, { ...options, candidateIds }, by);
    }),
    bind(repositoryActionRoutes.unlock, async ({ params, body, audit }) => {
      const row = await repositoriesStore.get(db, params.id);
      audit({ target: row.name, detail: body.all ? 'all' : 'stale' });
      return await withKeeper(deps, params.id, (repository, nodeId) =>
        ask(nodeId, { kind: 'unlock_repository', repository, all: body.all }, ASK_TIMEOUT_MS),
      );
    }),
    bind(repositoryActionRoutes.keys, ({ params }) => keys(params.id, { action: 'list', password: null, keyId: null })),
    bind(repositoryActionRoutes.addKey, async ({ params, body, audit }) => {
      audit({ target: (await repositoriesStore.get(db, params.id)).name });
      return await keys(params.id, { action: 'add', password: body.password, keyId: null });
    }),
    bind(repositoryActionRoutes.removeKey, async ({ params, audit }) => {
      audit({ target: (await repositoriesStore.get(db, params.id)).name, detail: params.keyId.slice(0, 8) });
      return await keys(params.id, { action: 'remove', password: null, keyId: params.keyId });
    }),
  ];
}
