/** Keeps a log at its cap: appends in O(1), forgets the oldest pieces of the tail once the head is full. */
import { type LogOwner, recordLogsStore } from '../stores/record-logs.store.ts';
import type { Db } from './ports.ts';

/** Characters kept from the beginning and from the end. */
export interface LogCaps {
  readonly head: number;
  readonly tail: number;
}

const defaultCaps: LogCaps = { head: 8 * 1024 * 1024, tail: 2 * 1024 * 1024 };
const MARKER = '… the log is longer than what is kept; lines are missing here …\n';
const MAX_REMEMBERED = 500;

interface LogState {
  headLength: number;
  hasMarker: boolean;
  /** Pieces after the marker, oldest first. */
  tail: { id: number; length: number }[];
  tailLength: number;
}

export interface LogTrimmer {
  /** Writes a text; answers the pieces that must go to keep the cap. */
  append(db: Db, owner: LogOwner, id: number, text: string): Promise<{ removeIds: number[] }>;
  /** After a transaction that was rolled back what is remembered may be wrong. */
  forgetAll(): void;
}

export function createLogTrimmer(caps: LogCaps = defaultCaps): LogTrimmer {
  const states = new Map<string, LogState>();

  /** Rebuilds the state of a log written by an earlier life of the process. */
  async function load(db: Db, owner: LogOwner, id: number): Promise<LogState> {
    const state: LogState = { headLength: 0, hasMarker: false, tail: [], tailLength: 0 };
    for (const piece of await recordLogsStore.lengths(db, owner, id)) {
      const length = Number(piece.length);
      if (state.hasMarker) {
        state.tail.push({ id: piece.id, length });
        state.tailLength += length;
      } else if (state.headLength >= caps.head) {
        state.hasMarker = true;
      } else {
        state.headLength += length;
      }
    }
    return state;
  }

  async function stateOf(db: Db, owner: LogOwner, id: number): Promise<LogState> {
    const key = `${owner}:${id}`;
    const known = states.get(key) ?? (await load(db, owner, id));
    states.delete(key);
    states.set(key, known);
    if (states.size > MAX_REMEMBERED) states.delete(states.keys().next().value ?? '');
    return known;
  }

  return {
    async append(db, owner, id, text) {
      const state = await stateOf(db, owner, id);
      if (state.headLength < caps.head) {
        await recordLogsStore.append(db, owner, id, text);
        state.headLength += text.length;
        return { removeIds: [] };
      }
      if (!state.hasMarker) {
        await recordLogsStore.append(db, owner, id, MARKER);
        state.hasMarker = true;
      }
      const kept = text.length > caps.tail ? text.slice(-caps.tail) : text;
      state.tail.push({ id: await recordLogsStore.append(db, owner, id, kept), length: kept.length });
      state.tailLength += kept.length;
      const removeIds: number[] = [];
      while (state.tailLength > caps.tail && state.tail.length > 1) {
        const oldest = state.tail.shift();
        if (!oldest) break;
        state.tailLength -= oldest.length;
        removeIds.push(oldest.id);
      }
      return { removeIds };
    },
    forgetAll() {
      states.clear();
    },
  };
}
