import { describe, expect, it } from 'vitest';
import { createAttemptLimiter } from './attempt-limiter.ts';

describe('createAttemptLimiter', () => {
  it('counts per key and window, forgives after a success, and stays bounded', () => {
    let now = 0;
    const limiter = createAttemptLimiter({ attempts: 2, windowMs: 10_000, monotonicMs: () => now });
    limiter.take('a');
    limiter.take('a');
    now = 4_000;
    expect(() => limiter.take('a')).toThrowError(
      expect.objectContaining({ code: 'RATE_LIMITED', params: { retryAfterSeconds: 6 } }),
    );
    limiter.take('b');
    limiter.forgive('a');
    limiter.take('a');
    limiter.take('a');
    now = 14_000;
    limiter.take('a');
    limiter.take('a');
    // Ten thousand newer keys push the oldest out; memory does not grow with what strangers send.
    for (let i = 0; i < 10_001; i += 1) limiter.take(`k${i}`);
    limiter.take('a');
  });
});
