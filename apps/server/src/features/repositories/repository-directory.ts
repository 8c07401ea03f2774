/**
 * Who may reach which repository through the gateway. A node reaches those it writes to: its own and those its tasks
 * name; a token of a repository reaches that one. Both may add and never delete: that is the master's work.
 */

import { hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { OpenedTarget } from '../../dispatch/locate-artifact.ts';
import type { NodeTokens, TokenOwner } from '../../dispatch/node-tokens.ts';
import type { Db } from '../../dispatch/ports.ts';
import { type RepositoryRow, repositoriesStore } from '../../stores/repositories.store.ts';
import { snapshotArrivalsStore } from '../../stores/snapshot-arrivals.store.ts';

export interface RepositoryDirectoryDeps {
  readonly db: Db;
  readonly tokens: Pick<NodeTokens, 'owner'>;
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
}

interface Granted {
  readonly kind: 'granted';
  readonly repository: {
    readonly id: number;
    readonly target: { readonly type: string; readonly config: Record<string, unknown> };
    readonly prefix: string;
    readonly isAppendOnly: boolean;
    readonly quotaBytes: number;
    readonly usedBytes: number;
  };
  readonly caller: string;
}
interface Credentials {
  readonly username: string | null;
  readonly token: string;
}
type Access = Granted | { readonly kind: 'foreign'; readonly caller: string } | { readonly kind: 'unknown' };

/** SHA-256 hex; the token has 256 random bits, so nothing slower would protect more. */
export function hashGatewayToken(token: string): string {
  return hash('sha256', token);
}

/** True when a run or restore of this node uses it now, or its tasks write to it. */
async function isOfNode(db: Db, row: RepositoryRow, nodeId: number): Promise<boolean> {
  if (row.node_id === nodeId) return true;
  const lease = await db
    .selectFrom('repository_leases')
    .select('id')
    .where('repository_id', '=', row.id)
    .where('node_id', '=', nodeId)
    .where('ended_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return lease !== undefined;
}

export function createRepositoryDirectory(deps: RepositoryDirectoryDeps) {
  const { db, tokens } = deps;

  async function rowOf(repository: string): Promise<RepositoryRow | undefined> {
    const row = /^\d{1,10}$/.test(repository)
      ? await repositoriesStore.find(db, Number(repository))
      : await repositoriesStore.findByName(db, repository);
    // One that is not made yet has no place to write to; one on a node's disk the master cannot reach.
    return row && row.state !== 'new' && row.is_on_node_disk === 0 ? row : undefined;
  }

  async function granted(row: RepositoryRow, caller: string): Promise<Access> {
    const target = await deps.openTarget(row.storage_target_id).catch(onlyGone);
    if (!target?.enabled) return { kind: 'foreign', caller };
    const { type, config } = target;
    const [quotaBytes, usedBytes] = [Number(row.quota_bytes), Math.max(0, Number(row.stored_bytes))];
    const repository = {
      id: row.id,
      target: { type, config },
      prefix: row.prefix,
      isAppendOnly: true,
      quotaBytes,
      usedBytes,
    };
    return { kind: 'granted', repository, caller };
  }

  async function ofNode(row: RepositoryRow | undefined, owner: TokenOwner, username: string | null): Promise<Access> {
    const caller = owner.nodeName;
    if (username !== null && username !== caller) return { kind: 'unknown' };
    return row && (await isOfNode(db, row, owner.nodeId)) ? await granted(row, caller) : { kind: 'foreign', caller };
  }

  return {
    async find(repository: string, credentials: Credentials): Promise<Access> {
      const owner = await tokens.owner(credentials.token);
      const row = await rowOf(repository);
      if (owner) return await ofNode(row, owner, credentials.username);
      const own = await repositoriesStore.findByTokenHash(db, hashGatewayToken(credentials.token));
      if (!own) return { kind: 'unknown' };
      const caller = foreignClient(own.id);
      if (![null, caller, own.name].includes(credentials.username)) return { kind: 'unknown' };
      return row?.id === own.id ? await granted(own, caller) : { kind: 'foreign', caller };
    },
  };
}

/** A target that is gone is an answer; that it could not be read (a busy database, a lost key) must not look like one. */
function onlyGone(error: unknown): null {
  if (error instanceof AppError && error.code === 'STORAGE_TARGET_NOT_FOUND') return null;
  throw error;
}

/** Caller of the gateway with the token of a repository. */
const foreignClient = (repositoryId: number) => `repository-${repositoryId}`;

interface Arrival {
  readonly repositoryId: number;
  readonly type: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly caller: string;
}

/**
 * Counts what foreign clients store: no run of ours does it at its end, and a quota must hold beyond a restart. Written
 * with every index, not with every pack.
 */
function createForeignBytes(db: Db) {
  const waiting = new Map<number, number>();
  return async ({ repositoryId, type, sizeBytes, caller }: Arrival): Promise<void> => {
    if (type === 'locks' || caller !== foreignClient(repositoryId)) return;
    const bytes = (waiting.get(repositoryId) ?? 0) + sizeBytes;
    waiting.set(repositoryId, bytes);
    if (type !== 'index' && type !== 'snapshots') return;
    waiting.delete(repositoryId);
    await repositoriesStore.addStoredBytes(db, repositoryId, bytes);
  };
}

/** Notes when a snapshot came, by the master's own clock: a client may write any date into it. */
export function createArrivalNote(deps: { db: Db; now: () => Date; changed: (repositoryId: number) => void }) {
  const countForeign = createForeignBytes(deps.db);
  return async (file: Arrival): Promise<void> => {
    await countForeign(file);
    if (file.type !== 'snapshots') return;
    await snapshotArrivalsStore.note(deps.db, {
      repository_id: file.repositoryId,
      snapshot_id: file.name,
      arrived_at: deps.now().toISOString(),
      caller: file.caller,
    });
    deps.changed(file.repositoryId);
  };
}
