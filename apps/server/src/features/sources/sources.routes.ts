/** Questions about a source before there is a task for it. Nothing of them is stored or logged. */
import { sourceRoutes } from '@backupx/contracts/api/sources';
import { AppError } from '@backupx/contracts/errors';
import type { InspectSourceResult } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import type { Db } from '../../dispatch/ports.ts';
import { fillSecrets } from '../../dispatch/stored-secrets.ts';
import { createAttemptLimiter } from '../../http/attempt-limiter.ts';
import { type Actor, type BoundRoute, bind } from '../../http/route-context.ts';
import { tasksStore } from '../../stores/tasks.store.ts';

export interface SourcesFeatureDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly engine: Pick<Engine, 'manifests' | 'parseSettings'>;
  readonly box: { open(sealed: string): string };
  readonly dispatcher: Pick<Dispatcher, 'askNode'>;
}

const INSPECT_TIMEOUT_MS = 30_000;
/** Enough for people; too few for trying passwords at a server behind the master. */
const ATTEMPTS = 30;
const WINDOW_MS = 60_000;

interface Question {
  readonly type: string;
  readonly nodeId: number;
  readonly taskId?: number | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

const keyOf = (actor: Actor): string => (actor.kind === 'user' ? String(actor.userId) : actor.kind);

/** Settings of the task whose secrets may be used; `{}` without one. Throws BACKUP_TASK_NOT_FOUND. */
async function storedSettings({ db, box }: SourcesFeatureDeps, { taskId, type }: Question) {
  if (taskId === undefined) return {};
  const task = await tasksStore.get(db, taskId);
  return task.type === type ? (JSON.parse(box.open(task.source_sealed)) as Record<string, unknown>) : {};
}

async function inspect(deps: SourcesFeatureDeps, question: Question): Promise<InspectSourceResult> {
  const { type, nodeId } = question;
  const known = deps.engine.manifests.sources;
  const manifest = known.find((one) => one.type === type);
  if (!manifest) {
    throw new AppError('SOURCE_TYPE_UNKNOWN', { type, known: known.map((one) => one.type).join(', ') });
  }
  if (!manifest.canInspect) {
    throw new AppError('NOT_SUPPORTED', {
      what: `A connection test of ${manifest.title}`,
      hint: 'Run the task instead.',
    });
  }
  const stored = await storedSettings(deps, question);
  const config = deps.engine.parseSettings('source', type, fillSecrets(manifest, { given: question.config, stored }));
  return await deps.dispatcher.askNode(
    nodeId,
    { kind: 'inspect_source', source: { type, config } },
    INSPECT_TIMEOUT_MS,
  );
}

export function sourcesRoutes(deps: SourcesFeatureDeps & { readonly localNodeId: () => number }): BoundRoute[] {
  const monotonicMs = () => deps.clock.monotonicMs();
  const attempts = createAttemptLimiter({ attempts: ATTEMPTS, windowMs: WINDOW_MS, monotonicMs });
  const nodeOf = (nodeId: number) => nodeId || deps.localNodeId();
  return [
    bind(sourceRoutes.inspect, async ({ body, actor }) => {
      attempts.take(keyOf(actor));
      return await inspect(deps, { ...body, nodeId: nodeOf(body.nodeId) });
    }),
    bind(sourceRoutes.discover, async ({ body, actor }) => {
      attempts.take(keyOf(actor));
      const { type, host: dbHost, port, user, password } = body;
      const config = {
        dbHost,
        ...(port > 0 ? { dbPort: port } : {}),
        ...(user === '' ? {} : { dbUser: user }),
        ...(password === '' ? {} : { dbPassword: password }),
      };
      const found = await inspect(deps, { type, nodeId: nodeOf(body.nodeId), config });
      return { databases: found.databases.map(({ name }) => name) };
    }),
  ];
}
