import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import { AppError } from '@backupx/contracts/errors';
import type { Compression } from '@backupx/contracts/jobs';
import { describe, expect, it } from 'vitest';
import { archiveExtension, compress, compressionOf, decompress } from './compression.ts';
import { collect, inChunks, inUsedMemory, neverAborted, noise } from './sample-entries.ts';

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

/** A frame of stored blocks that says it holds `sizeBytes`; `blocks` come as they are. */
function storedFrame(sizeBytes: number, blocks: readonly Uint8Array[]): Buffer {
  const parts = blocks.map((block, index) => {
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.byteLength << 3) | (index === blocks.length - 1 ? 1 : 0), 0, 3);
    return Buffer.concat([header, block]);
  });
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, sizeBytes]), ...parts]);
}

describe('decompress, zstd frames of all kinds', () => {
  const [small, other, large] = [noise(70_000), noise(200_000, 3), mixed(5_000_000)];
  const unsized = async (data: Uint8Array) => {
    const stream = createZstdCompress();
    stream.write(data.subarray(0, 1000));
    stream.end(data.subarray(1000));
    return Buffer.concat(await stream.toArray());
  };

  it.each([true, false])('in any order, with chunks used at once: %s', async (isUsedAtOnce) => {
    const [sized, unknown, long] = [zstdCompressSync(small), await unsized(other), zstdCompressSync(large)];
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]);
    const stored = Buffer.concat([sized, sized, unknown, unknown, skipped, long, sized, unknown, sized, sized, long]);
    const data = Buffer.concat([small, small, other, other, large, small, other, small, small, large]);
    for (const chunkSize of [777, 100_000, stored.byteLength]) {
      const plain = decompress(inUsedMemory(stored, chunkSize), 'zstd', { signal, isUsedAtOnce });
      expect((await collect(plain)).equals(data)).toBe(true);
    }
  });

  it('uses its memory again when chunks are used at once, and leaves them alone otherwise', async () => {
    const blocks = Array.from({ length: 12 }, (_, index) => noise(50_000, index + 1));
    const stored = Buffer.concat(blocks.map((block) => zstdCompressSync(block)));
    const buffers = new Set<unknown>();
    const atOnce = { signal, isUsedAtOnce: true };
    for await (const chunk of decompress(inChunks(stored, 9000), 'zstd', atOnce)) buffers.add(chunk.buffer);
    expect(buffers.size).toBeLessThanOrEqual(3);
    const kept: Uint8Array[] = [];
    for await (const chunk of decompress(inChunks(stored, 9000), 'zstd', { signal })) kept.push(chunk);
    expect(Buffer.concat(kept).equals(Buffer.concat(blocks))).toBe(true);
  });

  it('also a small one that is stored with far more bytes than it holds', async () => {
    const blocks = [...Array.from({ length: 150_000 }, () => Buffer.alloc(0)), Buffer.from('hello')];
    const stored = Buffer.concat([zstdCompressSync('one '), storedFrame(5, blocks), zstdCompressSync(' two')]);
    expect((await collect(decompress(inChunks(stored, 60_000), 'zstd', { signal }))).toString()).toBe('one hello two');
  });

  it('finds frames that hold more or less than they say, and a stream without any', async () => {
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
    const wrong = [storedFrame(4, [Buffer.from('hello')]), storedFrame(6, [Buffer.from('hello')]), skipped];
    for (const stored of [...wrong, Buffer.alloc(0), Buffer.concat([zstdCompressSync('fine'), Buffer.from('junk')])]) {
      const read = collect(decompress(inChunks(stored, 1000), 'zstd', { signal }));
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
