/**
 * Leases whose run has ended for us while its agent was out of sight: the work may still be writing. They end when the
 * agent proves that it is over: it came back as a new process, or it names what it holds and this is not among it.
 */
import type { Clock } from '@backupx/engine/ports/clock';
import { type CommandRow, commandsStore } from '../../stores/commands.store.ts';
import { type LeaseRow, repositoryLeasesStore } from '../../stores/repository-leases.store.ts';
import { runStores } from '../../stores/run-stores.ts';
import type { Db } from '../ports.ts';

export interface OrphanLeases {
  /** Reads what the last life of the master left; ends the leases of questions nobody waits for. */
  start(): Promise<void>;
  /** A run of this node ended for us and may go on there. */
  left(nodeId: number): void;
  /** A heartbeat of an agent that names the commands it holds. */
  heard(beat: { nodeId: number; bootId: string; atMs: number }, activeCommandIds: readonly number[]): Promise<void>;
  /** The node was removed: nobody will ever prove anything. Its locks in the storage stay the last guard. */
  nodeRemoved(nodeId: number): Promise<void>;
}

/** A heartbeat may have been written before a claim that it does not mention yet. */
const GRACE_MS = 30_000;
const KEEP_ENDED_MS = 30 * 86_400_000;

type RunOwner = keyof typeof runStores;

async function isOver(db: Db, lease: LeaseRow): Promise<boolean> {
  if (lease.owner === 'question') return true;
  const run = await runStores[lease.owner as RunOwner].find(db, lease.owner_id);
  return run?.status !== 'running';
}

export function createOrphanLeases({ db, clock }: { readonly db: Db; readonly clock: Clock }): OrphanLeases {
  /** Nodes that may hold some; heartbeats of all others cost nothing. */
  const nodes = new Set<number>();
  const nowText = () => clock.now().toISOString();

  async function orphansOf(nodeId: number): Promise<LeaseRow[]> {
    const open = (await repositoryLeasesStore.open(db)).filter((lease) => lease.node_id === nodeId);
    const orphans: LeaseRow[] = [];
    for (const lease of open) if (await isOver(db, lease)) orphans.push(lease);
    return orphans;
  }

  return {
    async start() {
      await repositoryLeasesStore.endQuestions(db, nowText());
      const before = new Date(clock.now().getTime() - KEEP_ENDED_MS).toISOString();
      await repositoryLeasesStore.removeEndedBefore(db, before);
      for (const lease of await repositoryLeasesStore.open(db)) if (await isOver(db, lease)) nodes.add(lease.node_id);
    },
    left(nodeId) {
      nodes.add(nodeId);
    },
    async heard(beat, activeCommandIds) {
      if (!nodes.has(beat.nodeId)) return;
      let remaining = 0;
      for (const lease of await orphansOf(beat.nodeId)) {
        const command = await commandsStore.lastOfRun(db, lease.owner as RunOwner, lease.owner_id);
        if (isProvenOver(command, beat, activeCommandIds)) await repositoryLeasesStore.endOne(db, lease.id, nowText());
        else remaining += 1;
      }
      if (remaining === 0) nodes.delete(beat.nodeId);
    },
    async nodeRemoved(nodeId) {
      for (const lease of await repositoryLeasesStore.open(db)) {
        if (lease.node_id === nodeId) await repositoryLeasesStore.endOne(db, lease.id, nowText());
      }
      nodes.delete(nodeId);
    },
  };
}

function isProvenOver(
  command: CommandRow | undefined,
  beat: { bootId: string; atMs: number },
  activeCommandIds: readonly number[],
): boolean {
  if (!command || command.dispatched_at === null) return true;
  // A new process that still has it in its journal names it.
  if (activeCommandIds.includes(command.id)) return false;
  if (command.boot_id !== beat.bootId) return true;
  return beat.atMs - Date.parse(command.dispatched_at) >= GRACE_MS;
}
