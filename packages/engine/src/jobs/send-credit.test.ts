import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { SendCredit } from './send-credit.ts';

it('waits for the reader once the credit is used up', async () => {
  const credit = new SendCredit(1);
  const { signal } = new AbortController();
  await credit.take(signal);
  let taken = 0;
  const second = credit.take(signal).then(() => {
    taken += 1;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBe(0);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  credit.give();
  await second;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

it('ends when the reader leaves, while it waits and before', async () => {
  const credit = new SendCredit(0);
  const abort = new AbortController();
  const waiting = credit.take(abort.signal);
  abort.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  // The chunk was still being read when the reader left.
  await expect(credit.take(abort.signal)).rejects.toThrow('left');
  await expect(new SendCredit(1).take(abort.signal)).rejects.toThrow('left');
});
