/**
 * Mirror of the dispatched commands, so that a heartbeat or a log line costs no query. The table stays the truth:
 * every change goes there first, with a condition; the mirror follows.
 */
import { AGENT_PROTOCOL_VERSION } from '@backupx/contracts/agent-protocol';
import type { Lane } from '@backupx/contracts/jobs';
import type { CommandRow } from '../stores/commands.store.ts';
import type { RecordOwner } from './ports.ts';

export interface LiveCommand {
  readonly id: number;
  readonly nodeId: number;
  readonly type: string;
  readonly lane: Lane;
  readonly protocol: number;
  /** The record or restore it runs; null for questions. */
  readonly run: { readonly owner: RecordOwner; readonly id: number } | null;
  readonly taskId: number | null;
  /** Reference of the question; null for work. */
  readonly ref: string | null;
  readonly dispatchedMs: number;
  bootId: string;
  /** Last sign of life of this very run. */
  activityMs: number;
  /** Activity that the table knows. */
  savedActivityMs: number;
  /** The agent fetched the specification, so it did start; unknown (true) after a restart of the master. */
  started: boolean;
  /** Since when the agent is asked to stop; null: it is not. */
  cancelSinceMs: number | null;
  /** Targets named in the specification that was handed out; null: not known. */
  targetIds: readonly number[] | null;
  /** Somebody is ending it right now. */
  settling: boolean;
}

export interface LiveCommands {
  add(row: CommandRow, state: { protocol: number; started: boolean }): LiveCommand;
  get(id: number): LiveCommand | undefined;
  remove(id: number): void;
  ofNode(nodeId: number): LiveCommand[];
  ofRun(owner: RecordOwner, id: number): LiveCommand | undefined;
  all(): LiveCommand[];
}

/** Protocol of the agent that claimed a row: agents from the field have no boot id. */
export function protocolOf(row: CommandRow): number {
  return row.boot_id === '' ? 1 : AGENT_PROTOCOL_VERSION;
}

export function createLiveCommands(): LiveCommands {
  const byId = new Map<number, LiveCommand>();
  const byNode = new Map<number, Set<LiveCommand>>();
  const byRun = new Map<string, LiveCommand>();

  return {
    add(row, { protocol, started }) {
      const command = toLive(row, protocol, started);
      byId.set(command.id, command);
      const siblings = byNode.get(command.nodeId) ?? new Set();
      byNode.set(command.nodeId, siblings.add(command));
      if (command.run) byRun.set(`${command.run.owner}:${command.run.id}`, command);
      return command;
    },
    get: (id) => byId.get(id),
    remove(id) {
      const command = byId.get(id);
      if (!command) return;
      byId.delete(id);
      byNode.get(command.nodeId)?.delete(command);
      if (command.run) byRun.delete(`${command.run.owner}:${command.run.id}`);
    },
    ofNode: (nodeId) => [...(byNode.get(nodeId) ?? [])],
    ofRun: (owner, id) => byRun.get(`${owner}:${id}`),
    all: () => [...byId.values()],
  };
}

function toLive(row: CommandRow, protocol: number, started: boolean): LiveCommand {
  const payload = JSON.parse(row.payload) as { taskId?: number };
  const activityMs = Date.parse(row.last_activity_at);
  return {
    id: row.id,
    nodeId: row.node_id,
    type: row.type,
    lane: row.lane === 'work' ? 'work' : 'control',
    protocol,
    run: runOf(row),
    taskId: payload.taskId ?? null,
    ref: refOf(row),
    dispatchedMs: Date.parse(row.dispatched_at ?? row.last_activity_at),
    bootId: row.boot_id,
    activityMs,
    savedActivityMs: activityMs,
    started,
    cancelSinceMs: null,
    targetIds: null,
    settling: false,
  };
}

/** Reference of the question a command carries; null for work. */
export function refOf(row: CommandRow): string | null {
  return (JSON.parse(row.payload) as { ref?: string }).ref ?? null;
}

/** The record or restore a command belongs to. */
export function runOf(row: CommandRow): LiveCommand['run'] {
  if (row.record_id !== null) return { owner: 'record', id: row.record_id };
  if (row.restore_record_id !== null) return { owner: 'restore', id: row.restore_record_id };
  if (row.maintenance_record_id !== null) return { owner: 'maintenance', id: row.maintenance_record_id };
  if (row.verify_record_id !== null) return { owner: 'verify', id: row.verify_record_id };
  return null;
}
