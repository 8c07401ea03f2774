import { gzipSync, zstdCompressSync } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import type { Compression } from '@backupx/contracts/jobs';
import { describe, expect, it } from 'vitest';
import { archiveExtension, compress, compressionOf, decompress } from './compression.ts';
import { collect, inChunks, neverAborted, noise } from './sample-entries.ts';

const signal = neverAborted;
const algorithms: Compression[] = ['none', 'gzip', 'zstd'];

const mixed = (length: number) => Buffer.concat([noise(length / 2), Buffer.alloc(length / 2, 'backup ')]);

describe.each(algorithms)('compress and decompress, %s', (algorithm) => {
  it.each([0, 1, 4096, 1_000_000])('brings %i bytes back', async (size) => {
    const data = mixed(size + (size % 2)).subarray(0, size);
    const stored = await collect(compress(inChunks(data, 65_536), { algorithm, parallelism: 3, signal }));
    for (const chunkSize of [stored.byteLength + 1, 1000]) {
      expect((await collect(decompress(inChunks(stored, chunkSize), algorithm, { signal }))).equals(data)).toBe(true);
    }
  });

  it('gives every block back exactly once, also when the reader stops early', async () => {
    const done: Uint8Array[] = [];
    const options = { algorithm, parallelism: 2, signal, onBlockDone: (block: Uint8Array) => done.push(block) };
    await collect(compress(inChunks(noise(50_000), 10_000), options));
    expect(done).toHaveLength(5);
    expect(new Set(done).size).toBe(5);
    let pulled = 0;
    async function* counted() {
      for await (const block of inChunks(noise(50_000), 10_000)) {
        pulled += 1;
        yield block;
      }
    }
    done.length = 0;
    for await (const _ of compress(counted(), options)) break;
    // The block being passed through by "none" stays with the reader.
    expect(done).toHaveLength(algorithm === 'none' ? 0 : pulled);
  });

  it('hands on what its input throws', async () => {
    async function* failing() {
      yield noise(100);
      throw new AppError('SOURCE_FAILED', { reason: 'gone' });
    }
    const expected = expect.objectContaining({ code: 'SOURCE_FAILED' });
    await expect(collect(compress(failing(), { algorithm, parallelism: 2, signal }))).rejects.toEqual(expected);
    async function* failingStored() {
      yield* compress(inChunks(noise(100), 10), { algorithm, parallelism: 1, signal });
      throw new AppError('SOURCE_FAILED', { reason: 'gone' });
    }
    await expect(collect(decompress(failingStored(), algorithm, { signal }))).rejects.toEqual(expected);
  });

  it('stops when cancelled', async () => {
    const controller = new AbortController();
    async function* endless() {
      for (;;) yield noise(1000);
    }
    const run = async () => {
      let blocks = 0;
      for await (const _ of compress(endless(), { algorithm, parallelism: 2, signal: controller.signal })) {
        blocks += 1;
        if (blocks === 5) controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('compress', () => {
  it('keeps at most `parallelism` blocks ahead of its reader', async () => {
    let pulled = 0;
    async function* blocks() {
      for (let index = 0; index < 20; index += 1) {
        pulled += 1;
        yield noise(2000, index + 1);
      }
    }
    let read = 0;
    for await (const _ of compress(blocks(), { algorithm: 'zstd', parallelism: 3, signal })) {
      read += 1;
      expect(pulled - read).toBeLessThanOrEqual(3);
    }
    expect(read).toBe(20);
  });
});

describe.each(['gzip', 'zstd'] as const)('decompress, %s', (algorithm) => {
  const pack = algorithm === 'gzip' ? gzipSync : zstdCompressSync;

  it('reads the single frame of a stock program and several in a row', async () => {
    const single = pack(noise(3_000_000));
    expect((await collect(decompress(inChunks(single, 50_000), algorithm, { signal }))).equals(noise(3_000_000))).toBe(
      true,
    );
    const several = Buffer.concat([pack('one '), pack(''), pack('two')]);
    expect((await collect(decompress(inChunks(several, 7), algorithm, { signal }))).toString()).toBe('one two');
  });

  it('loses nothing wherever chunks end between members', async () => {
    const stored = Buffer.concat([pack(noise(700)), pack('x'.repeat(900)), pack(noise(50))]);
    const data = Buffer.concat([noise(700), Buffer.from('x'.repeat(900)), noise(50)]);
    for (let chunkSize = 1; chunkSize < stored.byteLength; chunkSize += 13) {
      expect((await collect(decompress(inChunks(stored, chunkSize), algorithm, { signal }))).equals(data)).toBe(true);
    }
  });

  it('finds every truncation', async () => {
    const stored = Buffer.concat([pack(noise(2000)), pack(noise(2000, 7))]);
    const borders = [stored.byteLength, pack(noise(2000)).byteLength];
    for (let length = 0; length < stored.byteLength; length += 37) {
      if (borders.includes(length)) continue;
      const read = collect(decompress(inChunks(stored.subarray(0, length), 512), algorithm, { signal }));
      await expect(read).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    }
  });

  it('finds a flipped byte in data and in a later header', async () => {
    const first = await collect(compress(inChunks(noise(5000), 5000), { algorithm, parallelism: 1, signal }));
    const stored = Buffer.concat([first, first]);
    for (const position of [100, first.byteLength, first.byteLength + 2000, stored.byteLength - 2]) {
      const damaged = Buffer.from(stored);
      damaged.writeUInt8(damaged.readUInt8(position) ^ 0x10, position);
      const read = collect(decompress(inChunks(damaged, 1024), algorithm, { signal }));
      await expect(read).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
    }
  });
});

describe('file names', () => {
  it('tell the compression', () => {
    expect(['a.tar', 'a.tar.gz', 'a.TGZ', 'a.tar.zst.age', 'a.tar.age'].map(compressionOf)).toEqual([
      'none',
      'gzip',
      'gzip',
      'zstd',
      'none',
    ]);
    for (const algorithm of algorithms) expect(compressionOf(`x${archiveExtension(algorithm, true)}`)).toBe(algorithm);
    expect(archiveExtension('gzip', false)).toBe('.tar.gz');
  });
});
