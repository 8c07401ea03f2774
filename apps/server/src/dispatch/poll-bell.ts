/** Wakes the long polls of one node: an in-process bell, so nobody asks the database while nothing happens. */
export interface PollBell {
  ring(nodeId: number): void;
  /** Ends all waiting polls of a node without a new look: its token is not valid any more. */
  revoke(nodeId: number): void;
  /** Counts up with each `revoke`; a poll that sees another number gives up. */
  epoch(nodeId: number): number;
  /** How often the bell of a node rang; taken before looking for a command, handed to `wait` after. */
  rings(nodeId: number): number;
  /** Resolves when the bell rang since `rings`, after `ms`, on abort or at close; never rejects. */
  wait(nodeId: number, rings: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Ends all waiting; later waits return at once. */
  close(): void;
  readonly isClosed: boolean;
}

interface NodeBell {
  rings: number;
  epoch: number;
  readonly waiting: Set<() => void>;
}

export function createPollBell(): PollBell {
  const bells = new Map<number, NodeBell>();
  let closed = false;

  function bellOf(nodeId: number): NodeBell {
    let bell = bells.get(nodeId);
    if (!bell) {
      bell = { rings: 0, epoch: 0, waiting: new Set() };
      bells.set(nodeId, bell);
    }
    return bell;
  }

  function wakeAll(bell: NodeBell): void {
    bell.rings += 1;
    for (const wake of [...bell.waiting]) wake();
  }

  return {
    ring: (nodeId) => wakeAll(bellOf(nodeId)),
    revoke(nodeId) {
      const bell = bellOf(nodeId);
      bell.epoch += 1;
      wakeAll(bell);
    },
    epoch: (nodeId) => bellOf(nodeId).epoch,
    rings: (nodeId) => bellOf(nodeId).rings,
    wait(nodeId, rings, ms, signal) {
      const bell = bellOf(nodeId);
      if (closed || ms <= 0 || signal.aborted || bell.rings !== rings) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          bell.waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal.addEventListener('abort', done, { once: true });
        bell.waiting.add(done);
      });
    },
    close() {
      closed = true;
      for (const bell of bells.values()) for (const wake of [...bell.waiting]) wake();
    },
    get isClosed() {
      return closed;
    },
  };
}
