/** Rows of repositories that are not made yet: the first job that needs one makes it. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@backupx/engine/ports/clock';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import type { OpenedTarget } from '../locate-artifact.ts';
import type { Db, NodeState } from '../ports.ts';
import { liesOnNodeDisk, ownPrefix } from './repository-place.ts';

export interface NewRepositoryDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly seal: (text: string) => string;
}

export interface NewRepository {
  readonly name: string;
  readonly target: OpenedTarget;
  readonly node: Pick<NodeState, 'id' | 'name' | 'isLocal'>;
  readonly prefix: string;
  readonly password: string;
  /** What tasks of the node use on this target without naming it. */
  readonly isOwn: boolean;
  readonly isAdopted: boolean;
}

const DAY_MS = 86_400_000;
const PLAN_DAYS = 7;
/** 256 bits; letters and digits only, so that it survives shells, printers and people. */
const PASSWORD_BYTES = 32;

export function createRepositoryPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url').replaceAll(/[-_]/g, 'x');
}

function rowOf(deps: NewRepositoryDeps, repository: NewRepository, name: string) {
  const now = deps.clock.now();
  const later = new Date(now.getTime() + PLAN_DAYS * DAY_MS).toISOString();
  const { target, node } = repository;
  const isOnNodeDisk = liesOnNodeDisk(target, node);
  return {
    name,
    state: 'new',
    storage_target_id: target.id,
    // One that was made elsewhere belongs to nobody here, unless it lies on a node's own disk.
    node_id: repository.isAdopted && !isOnNodeDisk ? 0 : node.id,
    prefix: repository.prefix,
    is_on_node_disk: isOnNodeDisk ? 1 : 0,
    is_own: repository.isOwn ? 1 : 0,
    is_adopted: repository.isAdopted ? 1 : 0,
    repository_hex: '',
    version: 0,
    secret_sealed: repositoriesStore.sealSecret(deps, { password: repository.password, masterKey: '' }),
    gateway_token_hash: null,
    quota_bytes: 0,
    stored_bytes: 0,
    prune_every_days: PLAN_DAYS,
    check_every_days: PLAN_DAYS,
    check_part: 0,
    forgotten_count: 0,
    last_check_at: null,
    last_check_ok: null,
    problem_count: 0,
    damaged_since: null,
    damage_read: '',
    last_prune_at: null,
    next_check_at: later,
    next_prune_at: later,
    next_sweep_at: null,
    recovery_kit_at: null,
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
  } as const;
}

/** `wanted`, or `wanted 2`, … when that name is taken. */
async function freeName(db: Db, wanted: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const name = attempt === 1 ? wanted : `${wanted} ${attempt}`;
    if (!(await repositoriesStore.findByName(db, name))) return name;
  }
}

/** Answers the new row's id. A unique violation means that somebody else was faster. */
export async function insertRepository(deps: NewRepositoryDeps, repository: NewRepository): Promise<number> {
  const name = await freeName(deps.db, repository.name);
  return await repositoriesStore.insert(deps.db, rowOf(deps, repository, name));
}

/** The repository tasks of `node` use on `target` when they name none; its row is made when missing. */
export async function ownRepository(
  deps: NewRepositoryDeps,
  target: OpenedTarget,
  node: NodeState,
): Promise<RepositoryRow> {
  for (let attempt = 1; ; attempt += 1) {
    const known = await repositoriesStore.findOwn(deps.db, target.id, node.id);
    if (known) return known;
    try {
      await insertRepository(deps, {
        name: `${node.name} – ${target.name}`,
        target,
        node,
        prefix: ownPrefix(node),
        password: createRepositoryPassword(),
        isOwn: true,
        isAdopted: false,
      });
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === 5) throw error;
    }
  }
}
