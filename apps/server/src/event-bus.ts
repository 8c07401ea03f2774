/** In-process events for the console: a small ring for replay after a reconnect, and live subscribers. */
import type { ConsoleEvent } from '@backupx/contracts/events';

export interface StampedEvent {
  readonly id: number;
  readonly event: ConsoleEvent;
}

export interface EventBus {
  publish(event: ConsoleEvent): void;
  /** Calls `listener` for each event from now on; answers the function that ends it. A throwing listener is dropped. */
  subscribe(listener: (event: StampedEvent) => void): () => void;
  /** Events after `lastId` that are still in the ring, or null when some are gone (the client must reload). */
  since(lastId: number): readonly StampedEvent[] | null;
}

const RING_SIZE = 1000;

/** `firstId` differs between starts of the server, so that an id remembered from an earlier one is recognised as old. */
export function createEventBus(firstId = 1): EventBus {
  const ring: StampedEvent[] = [];
  const listeners = new Set<(event: StampedEvent) => void>();
  let nextId = firstId;

  return {
    publish(event) {
      const stamped = { id: nextId++, event };
      ring.push(stamped);
      if (ring.length > RING_SIZE) ring.shift();
      for (const listener of [...listeners]) {
        try {
          listener(stamped);
        } catch {
          listeners.delete(listener);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    since(lastId) {
      if (lastId >= nextId) return null;
      const oldest = ring[0]?.id ?? nextId;
      if (lastId < oldest - 1) return null;
      return ring.filter((stamped) => stamped.id > lastId);
    },
  };
}
