/** Asks the server of a restore what is there before anything is done to it. Nothing of it is stored. */
import { posix } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { InspectTargetResult } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import type { ArtifactJobBuilder } from './build-job.ts';
import type { AskNode } from './ports.ts';
import type { RecordRestore } from './start-restore.ts';
import { settingsForRestore } from './stored-secrets.ts';

export interface RestorePreviewDeps {
  readonly engine: Pick<Engine, 'manifests'>;
  readonly builder: Pick<ArtifactJobBuilder, 'nodeForArtifact' | 'withArtifact'>;
  readonly askNode: AskNode;
  readonly open: (sealed: string) => string;
}

const ASK_TIMEOUT_MS = 30_000;
const INVENTORY = 'inventory.json';
const MAX_DATABASES = 1000;

/** Every source lays one beside each database: in its folder, or named for its file. */
function isWanted(inventory: string, paths: readonly string[] | undefined): boolean {
  if (!paths || paths.length === 0) return true;
  const isInFolder = posix.basename(inventory) === INVENTORY;
  return paths.some((path) => {
    const wanted = path.replace(/\/+$/, '');
    if (inventory.startsWith(`${wanted}/`) || inventory === `${wanted}.${INVENTORY}`) return true;
    return isInFolder && posix.dirname(wanted) === posix.dirname(inventory);
  });
}

async function inventoriesOf(deps: RestorePreviewDeps, { record, input }: RecordRestore): Promise<string[]> {
  const { builder } = deps;
  const nodeId = await builder.nodeForArtifact(record.id);
  const found = await builder.withArtifact(record.id, nodeId, (artifact) =>
    deps.askNode(
      nodeId,
      { kind: 'browse_artifact', artifact, path: '', search: INVENTORY, offset: 0, limit: MAX_DATABASES },
      ASK_TIMEOUT_MS,
    ),
  );
  return found.entries
    .filter((entry) => entry.type === 'file' && entry.path.endsWith(INVENTORY))
    .map((entry) => entry.path)
    .filter((path) => isWanted(path, input.paths));
}

/** Throws NOT_SUPPORTED where nobody can say, AGENT_COMMAND_TIMEOUT, TIMEOUT, DATABASE_*. */
export async function askTarget(deps: RestorePreviewDeps, plan: RecordRestore): Promise<InspectTargetResult> {
  const { record, options } = plan;
  const manifest = deps.engine.manifests.sources.find((one) => one.type === record.task_type);
  if (!manifest?.canInspectTarget) {
    const what = `Asking what a restore of ${manifest?.title ?? record.task_type} would replace`;
    throw new AppError('NOT_SUPPORTED', { what, hint: 'Start the restore; it stops before it replaces anything.' });
  }
  const stored = JSON.parse(deps.open(record.source_sealed)) as Record<string, unknown>;
  const source = { type: record.task_type, config: settingsForRestore(manifest, stored, options.given) };
  const entries = await inventoriesOf(deps, plan);
  const job = { kind: 'inspect_target', source, options: { ...options.given }, entries } as const;
  return await deps.askNode(plan.node.id, job, ASK_TIMEOUT_MS);
}
