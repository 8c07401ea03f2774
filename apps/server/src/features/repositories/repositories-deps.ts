/** What the routes of repositories stand on. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { Dispatcher } from '../../dispatch/dispatcher.ts';
import type { OpenedTarget } from '../../dispatch/locate-artifact.ts';
import type { AskNode, Db, NodeDirectory } from '../../dispatch/ports.ts';
import type { LiveRecordReporter } from '../../dispatch/record-reporter.ts';
import type { RepositoryDoor } from '../../dispatch/repositories/repository-door.ts';
import type { EventBus } from '../../event-bus.ts';
import type { Actor } from '../../http/route-context.ts';

export interface RepositoriesFeatureDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly nodes: NodeDirectory;
  readonly door: RepositoryDoor;
  readonly ask: AskNode;
  readonly dispatcher: Dispatcher;
  readonly reporter: LiveRecordReporter;
  readonly engine: Engine;
  readonly open: (sealed: string) => string;
  readonly seal: (text: string) => string;
  /** Throws STORAGE_TARGET_NOT_FOUND. */
  readonly openTarget: (id: number) => Promise<OpenedTarget>;
}

export function nameOf(actor: Actor): string {
  return actor.kind === 'user' ? actor.username : actor.kind;
}
