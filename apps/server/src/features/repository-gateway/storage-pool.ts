/**
 * Storages that stay open between requests, one per repository: a backup makes thousands of requests, and to open a
 * storage for each would cost a TLS connection every time. One that nobody has used for a while is closed.
 */
import type { Engine } from '@backupx/engine/ports/engine';
import type { Storage } from '@backupx/engine/ports/storage';
import type { GatewayRepository } from './repository-directory.ts';

/** Bodies of one repository that move at the same time; more wait. Bounds memory and the connections of one client. */
const MAX_TRANSFERS = 12;
const IDLE_MS = 60_000;

/** An open storage, held by one request. */
export interface HeldStorage {
  readonly storage: Storage;
  /** Waits until a body may move; the turn ends with `release`. Rejects when the signal is aborted. */
  takeTurn(signal: AbortSignal): Promise<void>;
  /** Reserves a name until `release`; false when another request has it. */
  claim(key: string): boolean;
  /** Idempotent. */
  release(): void;
}

export interface StoragePool {
  hold(repository: GatewayRepository): HeldStorage;
  /** Closes what is open; for the end of the server. */
  close(): Promise<void>;
}

interface Entry {
  readonly key: string;
  readonly storage: Storage;
  readonly waiting: Set<() => void>;
  readonly claimed: Set<string>;
  holders: number;
  moving: number;
  idleTimer: NodeJS.Timeout | null;
}

export function createStoragePool(engine: Pick<Engine, 'openStorage'>): StoragePool {
  const entries = new Map<string, Entry>();

  const discard = async (entry: Entry): Promise<void> => {
    if (entry.idleTimer) clearTimeout(entry.idleTimer);
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    await entry.storage.close?.().catch(() => {});
  };

  const entryOf = ({ id, target }: GatewayRepository): Entry => {
    // Changed settings make another key; the old storage closes when its last request has ended.
    const key = `${id} ${target.type} ${JSON.stringify(target.config)}`;
    const known = entries.get(key);
    if (known) return known;
    const storage = engine.openStorage(target);
    const entry: Entry = {
      key,
      storage,
      waiting: new Set(),
      claimed: new Set(),
      holders: 0,
      moving: 0,
      idleTimer: null,
    };
    entries.set(key, entry);
    return entry;
  };

  return {
    hold(repository) {
      const entry = entryOf(repository);
      entry.holders += 1;
      if (entry.idleTimer) clearTimeout(entry.idleTimer);
      return holdEntry(entry, () => {
        entry.idleTimer = setTimeout(() => void discard(entry), IDLE_MS);
        entry.idleTimer.unref();
      });
    },
    async close() {
      await Promise.all([...entries.values()].map(discard));
    },
  };
}

function holdEntry(entry: Entry, onIdle: () => void): HeldStorage {
  let hasTurn = false;
  let isReleased = false;
  let claimed: string | null = null;
  return {
    storage: entry.storage,
    claim(key) {
      if (entry.claimed.has(key)) return false;
      entry.claimed.add(key);
      claimed = key;
      return true;
    },
    async takeTurn(signal) {
      if (entry.moving >= MAX_TRANSFERS) await waitForTurn(entry, signal);
      else entry.moving += 1;
      hasTurn = true;
      if (isReleased) passTurn(entry);
    },
    release() {
      if (isReleased) return;
      isReleased = true;
      if (hasTurn) passTurn(entry);
      if (claimed !== null) entry.claimed.delete(claimed);
      entry.holders -= 1;
      if (entry.holders === 0) onIdle();
    },
  };
}

/** The turn is handed over without being counted down, so nobody can slip in between. */
function passTurn(entry: Entry): void {
  const next = entry.waiting.values().next().value;
  if (!next) {
    entry.moving -= 1;
    return;
  }
  entry.waiting.delete(next);
  next();
}

function waitForTurn(entry: Entry, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = () => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    };
    const giveUp = () => {
      entry.waiting.delete(go);
      reject(signal.reason);
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    entry.waiting.add(go);
  });
}
