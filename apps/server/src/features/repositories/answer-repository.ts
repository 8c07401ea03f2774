/** Repositories as the API answers them. */
import type { Repository, RepositoryState } from '@backupx/contracts/api/repositories';
import type { OpenedTarget } from '../../dispatch/locate-artifact.ts';
import type { Db } from '../../dispatch/ports.ts';
import { locationOf } from '../../dispatch/repositories/repository-location.ts';
import type { RepositoryUse, RepositoryView } from '../../stores/repositories.store.ts';
import { repositoryUse } from '../../stores/repository-use.ts';

export interface AnswerDeps {
  readonly db: Db;
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
}

/** Where the master serves it; empty when the master cannot reach it. */
export function gatewayPathOf(row: Pick<RepositoryView, 'id' | 'is_on_node_disk'>): string {
  return row.is_on_node_disk === 1 ? '' : `/r/${row.id}/`;
}

const bit = (value: number | null): boolean | null => (value === null ? null : value === 1);

function answerOf(row: RepositoryView, use: RepositoryUse, location: string): Repository {
  return {
    id: row.id,
    name: row.name,
    state: row.state as RepositoryState,
    storageTargetId: row.storage_target_id,
    storageTargetName: row.target_name ?? '',
    storageType: row.target_type ?? '',
    prefix: row.prefix,
    location,
    nodeId: row.node_id,
    nodeName: row.node_name ?? '',
    repositoryId: row.repository_hex,
    version: row.version,
    isAdopted: row.is_adopted === 1,
    isReachableFromMaster: row.is_on_node_disk === 0,
    gatewayPath: gatewayPathOf(row),
    hasGatewayToken: row.gateway_token_hash !== null,
    quotaBytes: Number(row.quota_bytes),
    pruneEveryDays: row.prune_every_days,
    checkEveryDays: row.check_every_days,
    storedBytes: Math.max(0, Number(row.stored_bytes)),
    ...use,
    lastCheckAt: row.last_check_at,
    lastCheckOk: bit(row.last_check_ok),
    problemCount: Number(row.problem_count),
    lastPruneAt: row.last_prune_at,
    nextCheckAt: row.next_check_at,
    nextPruneAt: row.next_prune_at,
    recoveryKitDownloadedAt: row.recovery_kit_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Answers in the order of `rows`; the counts take a few statements for any number of them. */
export async function repositoryAnswers(deps: AnswerDeps, rows: readonly RepositoryView[]): Promise<Repository[]> {
  const useOf = await repositoryUse(
    deps.db,
    rows.map((row) => row.id),
  );
  const targets = new Map<number, OpenedTarget>();
  for (const row of rows) {
    if (targets.has(row.storage_target_id)) continue;
    targets.set(row.storage_target_id, await deps.openTarget(row.storage_target_id));
  }
  return rows.map((row) => {
    const target = targets.get(row.storage_target_id);
    return answerOf(row, useOf(row.id), target ? locationOf(target, row.prefix) : row.prefix);
  });
}
