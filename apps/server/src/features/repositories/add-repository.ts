/** Makes a repository, or takes in one that exists. A row that came to nothing is removed again. */
import type { adoptRepositoryInputSchema, createRepositoryInputSchema } from '@backupx/contracts/api/repositories';
import { AppError } from '@backupx/contracts/errors';
import type { z } from 'zod';
import type { OpenedTarget } from '../../dispatch/locate-artifact.ts';
import type { NodeState } from '../../dispatch/ports.ts';
import {
  createRepositoryPassword,
  insertRepository,
  type NewRepository,
} from '../../dispatch/repositories/new-repository.ts';
import { locationOf } from '../../dispatch/repositories/repository-location.ts';
import { liesOnNodeDisk, ownPrefix } from '../../dispatch/repositories/repository-place.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import type { RepositoriesFeatureDeps } from './repositories-deps.ts';

type CreateInput = z.output<typeof createRepositoryInputSchema>;
type AdoptInput = z.output<typeof adoptRepositoryInputSchema>;

/** A folder in a storage: plain names only. */
function assertPrefix(prefix: string): void {
  const isPlain = prefix === '' || prefix.split('/').every((part) => !['', '.', '..'].includes(part));
  if (isPlain && !prefix.includes('\\') && !prefix.includes('\0')) return;
  const fields = [
    { path: 'prefix', code: 'invalid', message: 'must be a plain path without empty, "." or ".." parts' },
  ];
  throw new AppError('INVALID_INPUT', {}, { fields });
}

interface Place {
  readonly target: OpenedTarget;
  readonly node: NodeState;
  readonly prefix: string;
  readonly isAdopted: boolean;
}

/** Where it lies, in words that do not depend on the storage target it is reached by; machines are told apart. */
function placeOf(location: string, onDiskOf: number | null): string {
  return `${onDiskOf ?? ''} ${location.replace(/\/+$/, '')}`;
}

/**
 * Two rows for one place would clean up under each other's feet: each knows the leases of its own runs only. A new one
 * is refused by its place itself; one that is taken in is not, and may be reached by another storage target.
 */
async function refuseKnownPlace(deps: RepositoriesFeatureDeps, { target, node, prefix, isAdopted }: Place) {
  const place = placeOf(locationOf(target, prefix), liesOnNodeDisk(target, node) ? node.id : null);
  for (const row of isAdopted
    ? await repositoriesStore.all(deps.db)
    : await repositoriesStore.ofTarget(deps.db, target.id)) {
    const location = locationOf(await deps.openTarget(row.storage_target_id), row.prefix);
    if (placeOf(location, row.is_on_node_disk === 1 ? row.node_id : null) !== place) continue;
    throw new AppError('REPOSITORY_EXISTS', { where: `${location} (${row.name})` });
  }
}

/** Hears what is going to be made, also when that fails. */
type Announce = (repository: { readonly target: string; readonly detail: string }) => void;

interface Addition {
  readonly repository: NewRepository;
  readonly node: NodeState;
  readonly announce: Announce;
}

async function addAndMake(deps: RepositoriesFeatureDeps, { repository, node, announce }: Addition) {
  announce({ target: repository.name, detail: locationOf(repository.target, repository.prefix) });
  assertPrefix(repository.prefix);
  await refuseKnownPlace(deps, { ...repository, node });
  if (liesOnNodeDisk(repository.target, node) && !node.isOnline)
    throw new AppError('NODE_OFFLINE', { node: node.name });
  const id = await insertRepository(deps, repository);
  try {
    const { snapshotCount } = await deps.door.make(id, { adopt: repository.isAdopted });
    return { id, snapshotCount };
  } catch (error) {
    await repositoriesStore.remove(deps.db, id);
    throw error;
  }
}

function nodeOf(deps: RepositoriesFeatureDeps, nodeId: number): Promise<NodeState> {
  return deps.nodes.get(nodeId === 0 ? deps.nodes.localNodeId : nodeId);
}

/** A folder for one more repository of a node; by the time, since one that was removed from the list may lie there still. */
async function furtherPrefix(deps: RepositoriesFeatureDeps, target: OpenedTarget, node: NodeState): Promise<string> {
  const taken = new Set((await repositoriesStore.ofTarget(deps.db, target.id)).map((row) => row.prefix));
  for (let time = deps.clock.now().getTime(); ; time += 1) {
    const prefix = `${ownPrefix(node)}-${time.toString(36)}`;
    if (!taken.has(prefix)) return prefix;
  }
}

/** Throws STORAGE_TARGET_NOT_FOUND, NODE_NOT_FOUND, NODE_OFFLINE, REPOSITORY_EXISTS, NOT_SUPPORTED, the storage's errors. */
export async function createRepository(deps: RepositoriesFeatureDeps, input: CreateInput, announce: Announce) {
  const target = await deps.openTarget(input.storageTargetId);
  const node = await nodeOf(deps, input.nodeId);
  const own = await repositoriesStore.findOwn(deps.db, target.id, node.id);
  const prefix = input.prefix ?? (own ? await furtherPrefix(deps, target, node) : ownPrefix(node));
  const repository = {
    name: input.name ?? `${node.name} – ${target.name}`,
    target,
    node,
    prefix,
    password: input.password ?? createRepositoryPassword(),
    isOwn: own === undefined && input.prefix === undefined,
    isAdopted: false,
  };
  return await addAndMake(deps, { repository, node, announce });
}

/** Throws the same and REPOSITORY_NOT_FOUND, REPOSITORY_WRONG_PASSWORD, REPOSITORY_UNSUPPORTED. */
export async function adoptRepository(deps: RepositoriesFeatureDeps, input: AdoptInput, announce: Announce) {
  const target = await deps.openTarget(input.storageTargetId);
  const node = await nodeOf(deps, input.nodeId);
  const { prefix, password } = input;
  const name = input.name ?? (prefix === '' ? target.name : `${target.name}/${prefix}`).slice(0, 100);
  const repository = { name, target, node, prefix, password, isOwn: false, isAdopted: true };
  return await addAndMake(deps, { repository, node, announce });
}
