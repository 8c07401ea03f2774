import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../ports/clock.ts';
import type { ToolEnd, ToolProcess } from '../ports/processes.ts';
import { followTool } from './follow-tool.ts';

const POLLS = 500;
const KILLED: ToolEnd = { exitCode: null, signal: 'SIGTERM', messages: '' };
/** Each sleep is over in the next turn. */
const clock: Clock = {
  now: () => new Date(0),
  monotonicMs: () => 0,
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
};

/** Counts who waits for it, and for what comes of it. */
class CountedPromise<T> extends Promise<T> {
  static waiting = 0;

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then(...args: unknown[]): never {
    CountedPromise.waiting += 1;
    return super.then(...(args as Parameters<Promise<T>['then']>)) as never;
  }
}

function startTool(): { tool: ToolProcess; end(how: ToolEnd): void } {
  let end: (how: ToolEnd) => void = () => {};
  const ended = new CountedPromise<ToolEnd>((resolve) => {
    end = resolve;
  });
  async function* output() {}
  const tool = { pid: 1, output: output(), write: async () => true, endInput() {}, ended, kill: () => end(KILLED) };
  return { tool: tool as unknown as ToolProcess, end };
}

it('keeps nothing of each look at a program that runs for a year', async () => {
  const { tool } = startTool();
  CountedPromise.waiting = 0;
  let steps = 0;
  const step = async () => ++steps < POLLS;
  const { signal: stop } = new AbortController();
  expect(await followTool(tool, { stop, clock, pollMs: 1, isFull: () => false, step })).toBe(null);
  expect(steps).toBe(POLLS);
  expect(CountedPromise.waiting).toBeLessThan(10);
});

it('ends the program and says so when the spool cannot be looked at', async () => {
  const { tool } = startTool();
  let looks = 0;
  const isFull = () => {
    if (++looks > 3) throw new Error('the spool is gone');
    return false;
  };
  const stop = new AbortController().signal;
  // A slow storage: meanwhile only the one who watches the spool can see it.
  const step = async () => {
    await tool.ended;
    return true;
  };
  const following = followTool(tool, { stop, clock: systemClock, pollMs: 5, isFull, step });
  await expect(following).rejects.toThrow('the spool is gone');
  expect(await tool.ended).toBe(KILLED);
});

it('hears at once that the program ended, or that it is to stop', async () => {
  const never: Clock = {
    ...clock,
    sleep: (_, signal) =>
      new Promise((_resolve, reject) => {
        if (signal?.aborted) reject(signal.reason);
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  };
  const rest = { clock: never, pollMs: 1, isFull: () => false, step: async () => true };
  const gone = startTool();
  const how = followTool(gone.tool, { ...rest, stop: new AbortController().signal });
  gone.end({ exitCode: 3, signal: null, messages: 'x' });
  expect(await how).toMatchObject({ exitCode: 3 });
  const stopping = new AbortController();
  const stopped = followTool(startTool().tool, { ...rest, stop: stopping.signal });
  stopping.abort();
  expect(await stopped).toBe(null);
});
