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

function inventoriesIn({ entries }: JobResults['browse_artifact'], wanted: readonly string[] | undefined): string[] {
  const files = entries.filter(({ type, path }) => type === 'file' && path.endsWith(INVENTORY));
  return files.map(({ path }) => path).filter((path) => isWanted(path, wanted));
}

interface Saved {
  /** Inventories of what would be restored. */
  readonly entries: string[];
  /** Empty: unknown. */
  readonly server: string;
}

/** All of them: one that is overlooked would be replaced without having been saved. */
async function lookIntoBackup(
  deps: RestorePreviewDeps,
  { record, input }: RecordRestore,
  { asksVersion }: { readonly asksVersion: boolean },
): Promise<Saved> {
  const { builder } = deps;
  const nodeId = await builder.nodeForArtifact(record.id);
  const search = { kind: 'browse_artifact', path: '', search: INVENTORY, limit: PAGE } as const;
  const source = asksVersion ? { source: { type: record.task_type, config: {} } } : {};
  return await builder.withArtifact(record.id, nodeId, async (artifact) => {
    const paths: string[] = [];
    let server = '';
    for (let offset: number | null = 0; offset !== null; ) {
      const page: JobResults['browse_artifact'] = await deps.askNode(
        nodeId,
        { ...search, ...(offset === 0 ? source : {}), artifact, offset },
        ASK_TIMEOUT_MS,
      );
      server ||= page.server ?? '';
      paths.push(...inventoriesIn(page, input.paths));
      if (paths.length > MAX_DATABASES) {
        const what = `Asking what a restore of more than ${MAX_DATABASES} databases would replace`;
        throw new AppError('NOT_SUPPORTED', { what, hint: 'Choose fewer of them at a time.' });
      }
      offset = page.nextOffset;
    }
    return { entries: paths, server };
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
  const asksVersion = manifest.restoreFields?.some(({ name }) => name === 'acceptOtherVersion') ?? false;
  const saved = await lookIntoBackup(deps, plan, { asksVersion });
  const asked = { source, options: { ...options.given }, entries: saved.entries };
  const job = { kind: 'inspect_target', ...asked, ...(asksVersion ? { savedServer: saved.server } : {}) } as const;
  return await deps.askNode(plan.node.id, job, ASK_TIMEOUT_MS);
}
