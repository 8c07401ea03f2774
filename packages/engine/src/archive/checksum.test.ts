import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { countAndHash } from './checksum.ts';
import { collect, inChunks, noise } from './sample-entries.ts';

describe('countAndHash', () => {
  it('passes the bytes on and knows their checksum at the end', async () => {
    const data = noise(300_001);
    const tap = countAndHash(inChunks(data, 4096));
    expect(await collect(tap)).toEqual(data);
    expect(tap.digest()).toEqual({ sha256: createHash('sha256').update(data).digest('hex'), sizeBytes: 300_001 });
  });

  it('refuses a digest of half a stream', async () => {
    const tap = countAndHash(inChunks(noise(100), 10));
    for await (const _ of tap) break;
    expect(() => tap.digest()).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(tap.bytesSoFar).toBe(10);
  });
});
