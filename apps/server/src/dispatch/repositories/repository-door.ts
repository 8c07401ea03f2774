/**
 * Opens repositories for jobs: the place where their secrets are opened, each for one job. A repository that exists as
 * a row only is made on the way, by the node that will keep it.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { InitRepositoryJob, InitRepositoryResult, RepositoryAccess } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import { condemnedPacksStore } from '../../stores/condemned-packs.store.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { settingsStore } from '../../stores/settings.store.ts';
import type { OpenedTarget } from '../locate-artifact.ts';
import type { AskNode, Db, NodeDirectory } from '../ports.ts';
import { keeperOf, targetForNode } from './repository-place.ts';

export interface RepositoryDoorDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly nodes: NodeDirectory;
  readonly open: (sealed: string) => string;
  readonly seal: (text: string) => string;
  /** Throws STORAGE_TARGET_NOT_FOUND. */
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
  readonly ask: AskNode;
}

export interface RepositoryDoor {
  /**
   * A repository as a job on `nodeId` sees it, made first when it is new. Throws NOT_SUPPORTED when that node cannot
   * reach it, and what making it throws.
   */
  access(repositoryId: number, nodeId: number, leaseId: number): Promise<RepositoryAccess>;
  /** The same, but one that cannot be made now is answered too: the job then says what is wrong with it. */
  accessUnmade(repositoryId: number, nodeId: number, leaseId: number): Promise<RepositoryAccess>;
  /** Makes a new one, or with `adopt` opens one that exists; a second call answers at once. */
  make(repositoryId: number, options?: { adopt: boolean }): Promise<{ row: RepositoryRow; snapshotCount: number }>;
}

const MAKE_TIMEOUT_MS = 60_000;

async function asked(
  deps: RepositoryDoorDeps,
  keeperId: number,
  job: InitRepositoryJob,
): Promise<InitRepositoryResult> {
  try {
    return await deps.ask(keeperId, job, MAKE_TIMEOUT_MS);
  } catch (error) {
    if (job.adopt || !(error instanceof AppError) || error.code !== 'REPOSITORY_EXISTS') throw error;
    // An earlier try got through and its answer was lost: then our password opens it. Somebody else's it does not open.
    return await deps.ask(keeperId, { ...job, adopt: true }, MAKE_TIMEOUT_MS).catch(() => {
      throw error;
    });
  }
}

async function makeNow(deps: RepositoryDoorDeps, row: RepositoryRow, adopt: boolean) {
  const { db } = deps;
  const keeper = await deps.nodes.get(keeperOf(row, deps.nodes.localNodeId));
  const target = targetForNode(row, await deps.openTarget(row.storage_target_id), keeper);
  if (!target) throw new AppError('INTERNAL', { requestId: '-' });
  const secret = repositoriesStore.openSecret(deps, row);
  const sealedPolynomial = await settingsStore.get<string>(db, 'chunker_polynomial');
  const result = await asked(deps, keeper.id, {
    kind: 'init_repository',
    target,
    id: row.id,
    prefix: row.prefix,
    password: secret.password,
    chunkerPolynomial: sealedPolynomial === null || adopt ? null : deps.open(sealedPolynomial),
    adopt,
    hostname: keeper.hostname || keeper.name,
  });
  const now = deps.clock.now().toISOString();
  await db.transaction().execute(async (trx) => {
    await repositoriesStore.update(trx, row.id, {
      state: 'ok',
      repository_hex: result.repositoryId,
      version: result.version,
      secret_sealed: repositoriesStore.sealSecret(deps, { ...secret, masterKey: result.masterKey }),
      updated_at: now,
    });
    // The first repository decides for the installation, so that copies between repositories keep their dedup.
    if (!adopt && (await settingsStore.get(trx, 'chunker_polynomial')) === null) {
      await settingsStore.set(trx, 'chunker_polynomial', deps.seal(result.chunkerPolynomial), now);
    }
  });
  return { row: await repositoriesStore.get(db, row.id), snapshotCount: result.snapshotCount };
}

export function createRepositoryDoor(deps: RepositoryDoorDeps): RepositoryDoor {
  const { db, nodes } = deps;
  /** One after another: the first one decides about the polynomial, and nobody makes the same one twice. */
  let making: Promise<unknown> = Promise.resolve();

  const door: RepositoryDoor = {
    async make(repositoryId, options) {
      const turn = making.then(async () => {
        const row = await repositoriesStore.get(db, repositoryId);
        if (row.state !== 'new') return { row, snapshotCount: 0 };
        return await makeNow(deps, row, options?.adopt ?? false);
      });
      making = turn.catch(() => undefined);
      return await turn;
    },

    async access(repositoryId, nodeId, leaseId) {
      const known = await repositoriesStore.get(db, repositoryId);
      const row = known.state === 'new' ? (await door.make(repositoryId)).row : known;
      return await accessOf(row, nodeId, leaseId);
    },

    async accessUnmade(repositoryId, nodeId, leaseId) {
      try {
        return await door.access(repositoryId, nodeId, leaseId);
      } catch {
        return await accessOf(await repositoriesStore.get(db, repositoryId), nodeId, leaseId);
      }
    },
  };

  async function accessOf(row: RepositoryRow, nodeId: number, leaseId: number): Promise<RepositoryAccess> {
    const node = await nodes.get(nodeId);
    const target = targetForNode(row, await deps.openTarget(row.storage_target_id), node);
    if (!target) throw await unreachable(nodes, row, node.name);
    const { password, masterKey } = repositoriesStore.openSecret(deps, row);
    return {
      id: row.id,
      target,
      prefix: row.prefix,
      unlock: masterKey === '' ? { password } : { masterKey },
      leaseId,
      leaseScope: `${await installationId(deps)}r${row.id}`,
      condemnedPacks: await condemnedPacksStore.packs(db, row.id),
    };
  }

  return door;
}

/** Twelve hex digits, drawn once; tells our leases in a repository from those of another master. */
async function installationId({ db, clock }: Pick<RepositoryDoorDeps, 'db' | 'clock'>): Promise<string> {
  const known = await settingsStore.get<string>(db, 'installation_id');
  if (known !== null) return known;
  await settingsStore.add(db, 'installation_id', randomBytes(6).toString('hex'), clock.now().toISOString());
  // Whoever was first has decided.
  return (await settingsStore.get<string>(db, 'installation_id')) ?? '';
}

async function unreachable(nodes: NodeDirectory, row: RepositoryRow, reader: string): Promise<AppError> {
  const owner = await nodes.get(row.node_id).catch(() => null);
  const where = owner?.name ?? `node ${row.node_id}`;
  return new AppError('NOT_SUPPORTED', {
    what: `Opening the repository ${row.name} on ${reader}`,
    hint: `It lies on the disk of ${where}: do it there, or use a storage that both reach (for later backups: an object storage, or "through the master" for the folder).`,
  });
}
