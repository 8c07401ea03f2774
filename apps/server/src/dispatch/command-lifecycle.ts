/**
 * The life of a command: pending → dispatched → succeeded | failed | timeout.
 *
 * What is lost is told by evidence, not by age:
 * - an agent from the field works on one command at a time and reports before it polls again, therefore a poll while
 *   one is dispatched proves that it ended unreported (unless two agents share the token);
 * - our agent names the commands it holds in every heartbeat; one that a new process does not hold is lost at once;
 * - a node that stays silent is given hours, because its backup may well be running on.
 * The record ends first and the command second, so a crash in between is repaired by the same evidence again.
 */
import type { Lane } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import { type CommandRow, commandsStore } from '../stores/commands.store.ts';
import { type CommandEnds, createCommandEnds } from './command-ends.ts';
import type { DispatchLog } from './dispatch-log.ts';
import { createLiveCommands, type LiveCommand, type LiveCommands, protocolOf } from './live-commands.ts';
import type { Liveness, NodeLiveness } from './node-liveness.ts';
import type { OpenQuestions } from './open-questions.ts';
import type { PollBell } from './poll-bell.ts';
import type { Db, RecordOwner } from './ports.ts';
import type { OrphanLeases } from './repositories/orphan-leases.ts';
import type { RunEnds } from './run-ends.ts';
import { scanCommands } from './scan-commands.ts';

/** A heartbeat may have been written before the claim it does not mention yet. */
const SAME_BOOT_GRACE_MS = 30_000;
const NEW_BOOT_GRACE_MS = 3_000;
const SCAN_MS = 15_000;

export interface CommandLifecycleOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: DispatchLog;
  readonly liveness: NodeLiveness;
  readonly ends: RunEnds;
  readonly questions: OpenQuestions;
  readonly bell: PollBell;
  readonly orphanLeases?: OrphanLeases;
  /** How long a node may be silent before its work counts as lost; default 6 hours. */
  readonly lostAfterMs?: number;
}

export interface CommandLifecycle extends Pick<CommandEnds, 'cancelRun' | 'complete' | 'endNode' | 'expireQuestion'> {
  /** Reads the dispatched commands, ends what the last life of the master left half done, starts the scan. */
  start(): Promise<void>;
  claim(wish: { nodeId: number; protocol: number; lanes: readonly Lane[] }): Promise<CommandRow | undefined>;
  /** Undoes a claim whose answer could not be delivered. */
  release(row: CommandRow): Promise<void>;
  /** A poll of an agent from the field: whatever it had is over. Answers false when it still has something. */
  endUnreported(nodeId: number): Promise<boolean>;
  /** Compares what the agent holds with what it was given; answers the commands it should stop. */
  heartbeat(beat: Liveness, activeIds: readonly number[] | undefined): Promise<number[]>;
  /** The dispatched command of a run, if this node has it. */
  liveRun(nodeId: number, owner: RecordOwner, id: number): LiveCommand | undefined;
  liveTask(nodeId: number, taskId: number): LiveCommand | undefined;
  scan(): Promise<void>;
  stop(): void;
}

export function createCommandLifecycle(options: CommandLifecycleOptions): CommandLifecycle {
  const { db, clock, log, liveness, bell } = options;
  const live = createLiveCommands();
  const deliveries = new Map<number, number>();
  const commandEnds = createCommandEnds(options, { live, deliveries });
  const startedMs = clock.now().getTime();
  let timer: NodeJS.Timeout | undefined;
  let scanning: Promise<void> | undefined;

  async function compare(command: LiveCommand, beat: Liveness, isHeld: boolean): Promise<void> {
    const sameBoot = command.bootId === beat.boot_id;
    if (isHeld) {
      command.activityMs = beat.lastSeenMs;
      command.started = true;
      if (sameBoot) return;
      command.bootId = beat.boot_id;
      await commandsStore.adopt(db, command.id, beat.boot_id);
      return;
    }
    const grace = sameBoot ? SAME_BOOT_GRACE_MS : NEW_BOOT_GRACE_MS;
    if (beat.lastSeenMs - command.dispatchedMs < grace) return;
    const message = sameBoot ? 'The agent does not know the run any more.' : 'The agent was restarted during the run.';
    await commandEnds.lose(command, message);
  }

  const lifecycle: CommandLifecycle = {
    cancelRun: commandEnds.cancelRun,
    complete: commandEnds.complete,
    endNode: commandEnds.endNode,
    expireQuestion: commandEnds.expireQuestion,

    async start() {
      await load(options, live);
      await options.orphanLeases?.start();
      timer = setInterval(() => void lifecycle.scan(), SCAN_MS).unref();
    },

    async claim({ nodeId, protocol, lanes }) {
      if (lanes.length === 0) return undefined;
      const bootId = protocol === 1 ? '' : liveness.get(nodeId)?.boot_id || 'unknown';
      const now = clock.now().toISOString();
      const row = await commandsStore.claim(db, { nodeId, lanes, bootId, now });
      if (!row) return undefined;
      live.add(row, { protocol, started: false });
      deliveries.set(row.id, (deliveries.get(row.id) ?? 0) + 1);
      return row;
    },

    release: (row) => commandEnds.requeue({ id: row.id, nodeId: row.node_id }),

    async endUnreported(nodeId) {
      const held = live.ofNode(nodeId).filter((command) => command.protocol === 1);
      if (held.length === 0) return true;
      if (liveness.isShared(nodeId)) return false;
      for (const command of held) await commandEnds.lose(command, 'The agent ended the run without reporting it.');
      return live.ofNode(nodeId).length === 0;
    },

    async heartbeat(beat, activeIds) {
      const held = live.ofNode(beat.node_id);
      if (activeIds) {
        const { node_id: nodeId, boot_id: bootId, lastSeenMs: atMs } = beat;
        await options.orphanLeases?.heard({ nodeId, bootId, atMs }, activeIds);
      }
      if (activeIds && held.length > 0) {
        const active = new Set(activeIds);
        for (const command of held) {
          if (command.protocol !== 1) await compare(command, beat, active.has(command.id));
        }
      }
      return held.filter((command) => command.cancelSinceMs !== null).map((command) => command.id);
    },

    liveRun(nodeId, owner, id) {
      const command = live.ofRun(owner, id);
      return command?.nodeId === nodeId ? command : undefined;
    },

    liveTask: (nodeId, taskId) => live.ofNode(nodeId).find((command) => command.taskId === taskId),

    scan() {
      scanning ??= scanCommands({ ...options, live, startedMs, forget: commandEnds.forget })
        .catch((error: unknown) => log.error({ err: error }, 'the scan of commands failed'))
        .finally(() => {
          scanning = undefined;
        });
      return scanning;
    },

    stop() {
      clearInterval(timer);
      bell.close();
    },
  };
  return lifecycle;
}

/** What the last life of the master left: its questions end, its dispatched commands go on, runs without one end. */
async function load({ db, clock, ends }: CommandLifecycleOptions, live: LiveCommands): Promise<void> {
  const now = clock.now();
  await commandsStore.endQuestions(db, now.toISOString());
  for (const row of await commandsStore.dispatched(db)) live.add(row, { protocol: protocolOf(row), started: true });
  for (const id of await commandsStore.cancelRequested(db)) {
    const command = live.get(id);
    if (command) command.cancelSinceMs = now.getTime();
  }
  for (const run of await commandsStore.runsWithoutCommand(db)) {
    await ends.interrupt(run, run.nodeId, 'The run lost its command.');
  }
}
