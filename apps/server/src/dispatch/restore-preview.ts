/** Asks the server of a restore what is there before anything is done to it. Nothing of it is stored. */
import { posix } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { InspectTargetResult, JobResults } from '@backupx/contracts/jobs';
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
const PAGE = 1000;
/** As many as a node can be asked about at once. */
const MAX_DATABASES = 10_000;

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

/** All of them: one that is overlooked would be replaced without having been saved. */
async function inventoriesOf(deps: RestorePreviewDeps, { record, input }: RecordRestore): Promise<string[]> {
  const { builder } = deps;
  const nodeId = await builder.nodeForArtifact(record.id);
  const search = { kind: 'browse_artifact', path: '', search: INVENTORY, limit: PAGE } as const;
  return await builder.withArtifact(record.id, nodeId, async (artifact) => {
    const paths: string[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const page: JobResults['browse_artifact'] = await deps.askNode(
        nodeId,
        { ...search, artifact, offset },
        ASK_TIMEOUT_MS,
      );
      for (const { type, path } of page.entries) {
        if (type === 'file' && path.endsWith(INVENTORY) && isWanted(path, input.paths)) paths.push(path);
      }
      if (paths.length > MAX_DATABASES) {
        const what = `Asking what a restore of more than ${MAX_DATABASES} databases would replace`;
        throw new AppError('NOT_SUPPORTED', { what, hint: 'Choose fewer of them at a time.' });
      }
      offset = page.nextOffset;
    }
    return paths;
  });
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
