/** Everything about nodes on other machines, constructed and connected; `app.ts` calls this once. */
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { type CommandLifecycle, createCommandLifecycle } from './command-lifecycle.ts';
import type { DispatchLog } from './dispatch-log.ts';
import { createNodeDirectory } from './node-directory.ts';
import { createNodeLiveness, type NodeLiveness } from './node-liveness.ts';
import { createNodeTokens, type NodeTokens } from './node-tokens.ts';
import { createOpenQuestions } from './open-questions.ts';
import { createPollBell } from './poll-bell.ts';
import type { Db, NodeDirectory, RecordLifecycle } from './ports.ts';
import { createRemoteNodes, type RemoteNodes } from './remote-node.ts';
import type { OrphanLeases } from './repositories/orphan-leases.ts';
import { createRunEnds } from './run-ends.ts';

export interface FleetOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly log: DispatchLog;
  readonly localNodeId: number;
  readonly records: RecordLifecycle;
  readonly orphanLeases?: OrphanLeases;
  /** How long a node may be silent before its work counts as lost; default 6 hours. */
  readonly lostAfterMs?: number;
}

export interface Fleet {
  readonly localNodeId: number;
  readonly directory: NodeDirectory;
  readonly liveness: NodeLiveness;
  readonly tokens: NodeTokens;
  readonly commands: CommandLifecycle;
  readonly queue: RemoteNodes;
  /** Ends the polls of a node whose token is not valid any more, and forgets the token. */
  revoke(nodeId: number): void;
  /** Reads what earlier lives left and starts the timers. */
  start(): Promise<void>;
  /** Completes all waiting polls; call before the HTTP server closes. */
  releasePolls(): void;
  /** Stops the timers and writes what is in memory. */
  stop(): Promise<void>;
}

/** Constructs only; nothing runs before `start`. */
export function createFleet(options: FleetOptions): Fleet {
  const { db, clock, records, localNodeId } = options;
  const liveness = createNodeLiveness(options);
  const directory = createNodeDirectory({ db, localNodeId, liveness });
  const tokens = createNodeTokens(db);
  const bell = createPollBell();
  const questions = createOpenQuestions();
  const ends = createRunEnds({ db, records });
  const commands = createCommandLifecycle({ ...options, liveness, ends, questions, bell });
  const queue = createRemoteNodes({ db, clock, directory, lifecycle: commands, questions, bell });
  return {
    localNodeId,
    directory,
    liveness,
    tokens,
    commands,
    queue,
    revoke(nodeId) {
      tokens.invalidate(nodeId);
      bell.revoke(nodeId);
    },
    async start() {
      await liveness.start();
      await commands.start();
    },
    releasePolls: () => bell.close(),
    async stop() {
      commands.stop();
      await liveness.stop();
    },
  };
}
