/**
 * How commands end: by a result, by being lost, by a cancel, by the deletion of their node. The record ends first and
 * the command second, so a crash in between is repaired by the next sign of the same end.
 */
import type { CommandResultBody } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import { type CommandRow, commandsStore } from '../stores/commands.store.ts';
import type { CommandLifecycleOptions } from './command-lifecycle.ts';
import { type LiveCommand, type LiveCommands, refOf, runOf } from './live-commands.ts';
import type { RecordOwner } from './ports.ts';

/** A command whose delivery is lost again and again is given up. */
const MAX_DELIVERIES = 5;
export const WORK_EXPIRES_MS = 24 * 3_600_000;

/** The memory of the commands, shared by the parts of their life cycle. */
export interface CommandMemory {
  readonly live: LiveCommands;
  /** How often each command was handed out. */
  readonly deliveries: Map<number, number>;
}

export interface CommandEnds {
  /** Puts a command that was not delivered back into the queue. */
  requeue(command: { id: number; nodeId: number }): Promise<void>;
  /** The agent does not have it any more and did not say how it ended. */
  lose(command: LiveCommand, message: string): Promise<void>;
  complete(nodeId: number, commandId: number, body: CommandResultBody): Promise<void>;
  cancelRun(owner: RecordOwner, id: number): Promise<boolean>;
  endNode(nodeId: number, nodeName: string): Promise<void>;
  expireQuestion(commandId: number): Promise<void>;
  forget(id: number): void;
}

export function createCommandEnds(options: CommandLifecycleOptions, memory: CommandMemory): CommandEnds {
  const { db, clock, log, liveness, ends, questions, bell } = options;
  const { live, deliveries } = memory;
  const nowText = () => clock.now().toISOString();

  function forget(id: number): void {
    live.remove(id);
    deliveries.delete(id);
  }

  async function requeue(command: { id: number; nodeId: number }): Promise<void> {
    const expiresAt = new Date(clock.now().getTime() + WORK_EXPIRES_MS).toISOString();
    await commandsStore.requeue(db, command.id, nowText(), expiresAt);
    live.remove(command.id);
    bell.ring(command.nodeId);
  }

  async function endLost(command: LiveCommand, message: string): Promise<void> {
    const { run } = command;
    if (run && !command.started && (deliveries.get(command.id) ?? 0) < MAX_DELIVERIES) {
      log.info({ commandId: command.id, nodeId: command.nodeId }, 'command was not delivered; queued again');
      await requeue(command);
      return;
    }
    const endedWell = run !== null && (await ends.interrupt(run, command.nodeId, message));
    const state = endedWell ? 'succeeded' : 'failed';
    await commandsStore.finish(db, command.id, { state, errorMessage: endedWell ? '' : message, now: nowText() });
    if (command.ref) questions.settle(command.ref, { kind: 'error', message });
    forget(command.id);
    log.warn({ commandId: command.id, nodeId: command.nodeId }, message);
  }

  async function endReported(row: CommandRow, body: CommandResultBody): Promise<void> {
    const run = runOf(row);
    if (run) await ends.reported(run, row.node_id, body);
    const done = await commandsStore.finish(db, row.id, {
      state: body.success ? 'succeeded' : 'failed',
      errorMessage: body.errorMessage ?? '',
      now: nowText(),
    });
    const ref = refOf(row);
    if (done && ref) questions.settle(ref, answerOf(body));
    forget(row.id);
  }

  return {
    requeue,
    forget,

    async lose(command, message) {
      // Several signs of the same end may arrive at once.
      if (command.settling) return;
      command.settling = true;
      try {
        await endLost(command, message);
      } finally {
        command.settling = false;
      }
    },

    async complete(nodeId, commandId, body) {
      const row = await commandsStore.find(db, commandId);
      if (!row) throw new AppError('AGENT_COMMAND_NOT_FOUND');
      if (row.node_id !== nodeId) throw new AppError('AGENT_COMMAND_FORBIDDEN');
      if (row.state === 'dispatched' || row.state === 'pending') await endReported(row, body);
    },

    async cancelRun(owner, id) {
      const row = await commandsStore.openOfRun(db, owner, id);
      if (!row) {
        await ends.cancel({ owner, id });
        return true;
      }
      const command = live.get(row.id);
      // Agents from the field cannot be told, silent ones do not hear it: the run is over for us, whatever they do.
      if (command && command.protocol !== 1 && liveness.isOnline(row.node_id)) {
        command.cancelSinceMs ??= clock.now().getTime();
        return false;
      }
      await commandsStore.finish(db, row.id, { state: 'failed', errorMessage: 'cancelled', now: nowText() });
      await ends.cancel({ owner, id }, { mayGoOn: command !== undefined });
      forget(row.id);
      return true;
    },

    endNode: (nodeId, nodeName) => endNode(options, forget, { id: nodeId, name: nodeName }),

    async expireQuestion(commandId) {
      await commandsStore.finish(db, commandId, { state: 'timeout', now: nowText() });
      forget(commandId);
    },
  };
}

async function endNode(
  { db, clock, ends, questions, orphanLeases }: CommandLifecycleOptions,
  forget: (id: number) => void,
  node: { id: number; name: string },
): Promise<void> {
  const message = `The server ${node.name} was deleted.`;
  for (const row of await commandsStore.openOfNode(db, node.id)) {
    const run = runOf(row);
    if (run) await ends.interrupt(run, node.id, message);
    const now = clock.now().toISOString();
    await commandsStore.finish(db, row.id, { state: 'failed', errorMessage: message, now });
    const ref = refOf(row);
    if (ref) questions.settle(ref, { kind: 'error', message });
    forget(row.id);
  }
  await orphanLeases?.nodeRemoved(node.id);
}

function answerOf(body: CommandResultBody) {
  if (body.success) return { kind: 'result' as const, result: body.result };
  const message = body.errorMessage ?? '';
  return { kind: 'error' as const, message, ...(body.errorCode ? { code: body.errorCode } : {}) };
}
