/**
 * Which nodes are alive. Heartbeats change memory only; every two seconds the changed entries go to `node_liveness` in
 * one batch, so ten thousand agents cost one small transaction and never touch the configuration in `nodes`.
 * "Online" is always derived from the last beat, here and on read; nothing stores it.
 */
import { AGENT_PROTOCOL_VERSION, agentTimings, type HeartbeatBody } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { EventBus } from '../event-bus.ts';
import { type NodeLivenessRow, nodesStore } from '../stores/nodes.store.ts';
import type { DispatchLog } from './dispatch-log.ts';
import type { Db } from './ports.ts';

const FLUSH_MS = 2_000;

export interface Liveness extends Omit<NodeLivenessRow, 'last_seen'> {
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number;
  /** The agent said goodbye with its last beat. */
  readonly stopped: boolean;
}

export interface NodeLiveness {
  /** Reads what earlier lives knew and starts the timers. */
  start(): Promise<void>;
  /**
   * Takes a heartbeat. Throws CONFLICT when another installation that is alive uses the same token.
   * Costs microseconds and no I/O.
   */
  beat(nodeId: number, body: HeartbeatBody, protocol: number): Liveness;
  get(nodeId: number): Liveness | undefined;
  isOnline(nodeId: number): boolean;
  /**
   * True when beats of two machines arrived within the last 45 s. Then nothing may be concluded from a poll, because
   * nobody knows whose poll it was.
   */
  isShared(nodeId: number): boolean;
  /** Forgets a deleted node. */
  forget(nodeId: number): void;
  /** Publishes nodes that fell silent; run every 15 s. */
  scan(): void;
  flush(): Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  readonly db: Db;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly log: DispatchLog;
}

interface Entry {
  state: Liveness;
  /** What listeners were told last. */
  announcedOnline: boolean;
  /** Machine (`hostname|ip`) of old agents → time of its last beat. */
  readonly machines: Map<string, number>;
  /** A warning about a shared token was logged at this time. */
  warnedMs: number;
}

export function createNodeLiveness({ db, clock, events, log }: Options): NodeLiveness {
  const entries = new Map<number, Entry>();
  const dirty = new Set<number>();
  const timers: NodeJS.Timeout[] = [];
  let flushing: Promise<void> = Promise.resolve();

  const nowMs = () => clock.now().getTime();
  const alive = (state: Liveness, now: number) =>
    !state.stopped && now - state.lastSeenMs <= agentTimings.offlineAfterMs;

  function announce(nodeId: number, entry: Entry, isOnline: boolean): void {
    if (entry.announcedOnline === isOnline) return;
    entry.announcedOnline = isOnline;
    events.publish({ type: 'node_changed', nodeId, isOnline });
  }

  function warnShared(nodeId: number, entry: Entry, now: number): void {
    if (now - entry.warnedMs < agentTimings.offlineAfterMs) return;
    entry.warnedMs = now;
    log.warn({ nodeId }, 'two agents use the token of one node; give each its own');
  }

  /** Our agents name their installation; a second one is turned away while the first is alive. */
  function refuseSecondInstance(nodeId: number, entry: Entry, body: HeartbeatBody, now: number): void {
    const holder = entry.state.instance_id;
    if (holder === '' || holder === (body.instanceId ?? '') || !alive(entry.state, now)) return;
    warnShared(nodeId, entry, now);
    throw new AppError('CONFLICT');
  }

  function noteMachine(nodeId: number, entry: Entry, body: HeartbeatBody, now: number): void {
    for (const [machine, seenMs] of entry.machines) {
      if (now - seenMs > agentTimings.offlineAfterMs) entry.machines.delete(machine);
    }
    entry.machines.set(`${body.hostname ?? ''}|${body.ipAddress ?? ''}`, now);
    if (entry.machines.size > 1) warnShared(nodeId, entry, now);
  }

  const liveness: NodeLiveness = {
    async start() {
      for (const row of await nodesStore.allLiveness(db)) {
        const state = fromRow(row);
        entries.set(row.node_id, newEntry(state, alive(state, nowMs())));
      }
      timers.push(setInterval(() => void liveness.flush(), FLUSH_MS).unref());
      timers.push(setInterval(() => liveness.scan(), agentTimings.offlineScanMs).unref());
    },

    beat(nodeId, body, protocol) {
      const now = nowMs();
      const entry = entries.get(nodeId);
      if (entry) refuseSecondInstance(nodeId, entry, body, now);
      const state = stateOf(nodeId, body, protocol, now);
      const current = entry ?? newEntry(state, false);
      current.state = state;
      if (!entry) entries.set(nodeId, current);
      if (protocol < AGENT_PROTOCOL_VERSION) noteMachine(nodeId, current, body, now);
      dirty.add(nodeId);
      announce(nodeId, current, !state.stopped);
      return state;
    },

    get: (nodeId) => entries.get(nodeId)?.state,

    isOnline(nodeId) {
      const entry = entries.get(nodeId);
      return entry !== undefined && alive(entry.state, nowMs());
    },

    isShared(nodeId) {
      const now = nowMs();
      const machines = entries.get(nodeId)?.machines ?? new Map<string, number>();
      return [...machines.values()].filter((seenMs) => now - seenMs <= agentTimings.offlineAfterMs).length > 1;
    },

    forget(nodeId) {
      entries.delete(nodeId);
      dirty.delete(nodeId);
    },

    scan() {
      const now = nowMs();
      for (const [nodeId, entry] of entries) announce(nodeId, entry, alive(entry.state, now));
    },

    flush() {
      flushing = flushing.then(() => writeDirty({ db, log }, entries, dirty));
      return flushing;
    },

    async stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      await liveness.flush();
    },
  };
  return liveness;
}

/** Writes the changed entries; on failure they stay marked for the next time. */
async function writeDirty(
  { db, log }: Pick<Options, 'db' | 'log'>,
  entries: ReadonlyMap<number, Entry>,
  dirty: Set<number>,
): Promise<void> {
  if (dirty.size === 0) return;
  const ids = [...dirty];
  dirty.clear();
  const rows = ids.flatMap((id) => {
    const entry = entries.get(id);
    return entry ? [toRow(entry.state)] : [];
  });
  try {
    await nodesStore.writeLiveness(db, rows);
  } catch (error) {
    for (const id of ids) dirty.add(id);
    log.error({ err: error }, 'heartbeats could not be written; trying again');
  }
}

function newEntry(state: Liveness, announcedOnline: boolean): Entry {
  return { state, announcedOnline, machines: new Map(), warnedMs: Number.NEGATIVE_INFINITY };
}

function stateOf(nodeId: number, body: HeartbeatBody, protocol: number, now: number): Liveness {
  return {
    node_id: nodeId,
    lastSeenMs: now,
    stopped: body.stopping ?? false,
    hostname: body.hostname ?? '',
    ip_address: body.ipAddress ?? '',
    os: body.os ?? '',
    arch: body.arch ?? '',
    agent_version: body.agentVersion ?? '',
    protocol,
    instance_id: body.instanceId ?? '',
    boot_id: body.bootId ?? '',
    capabilities: body.capabilities ? JSON.stringify(body.capabilities) : '',
  };
}

function toRow({ lastSeenMs, stopped: _stopped, ...rest }: Liveness): NodeLivenessRow {
  return { ...rest, last_seen: new Date(lastSeenMs).toISOString() };
}

function fromRow({ last_seen, ...rest }: NodeLivenessRow): Liveness {
  return { ...rest, lastSeenMs: Date.parse(last_seen), stopped: false };
}
