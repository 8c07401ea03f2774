import { expect, it } from 'vitest';
import { createFakeClock } from './fake-clock.ts';

it('wakes sleepers in the order they are due and lets them sleep again', async () => {
  const clock = createFakeClock(new Date('2026-03-01T00:00:00Z'));
  const woken: string[] = [];
  const sleeper = async (name: string, ms: number) => {
    for (let i = 0; i < 2; i++) {
      await clock.sleep(ms);
      woken.push(`${name}@${clock.monotonicMs()}`);
    }
  };
  const both = Promise.all([sleeper('slow', 30), sleeper('fast', 20)]);
  await clock.advance(45);
  expect(woken).toEqual(['fast@20', 'slow@30', 'fast@40']);
  expect(clock.now().toISOString()).toBe('2026-03-01T00:00:00.045Z');
  expect(clock.sleeping).toBe(1);
  await clock.advance(15);
  await both;
});

it('rejects a sleeper whose signal is aborted', async () => {
  const clock = createFakeClock();
  const abort = new AbortController();
  const sleeping = clock.sleep(10, abort.signal);
  abort.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
  expect(clock.sleeping).toBe(0);
});
