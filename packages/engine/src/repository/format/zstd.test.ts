import { randomBytes } from 'node:crypto';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createMasterKey } from './master-key.ts';
import { createSealedBox } from './sealed-box.ts';
import { openFile, sealFile, sealPieces } from './unpacked-file.ts';
import {
  compressOnce,
  compressPieces,
  contentSize,
  createCompressor,
  decompress,
  decompressInto,
  mostBytesIn,
} from './zstd.ts';
import { openCompressorHandle, openDecompressorHandle } from './zstd-handle.ts';

const damaged = expect.objectContaining({ code: 'REPOSITORY_DAMAGED' });

describe('compressor', () => {
  it('uses one context again and again in this runtime', () => {
    for (const handle of [openCompressorHandle({ level: 3 }), openDecompressorHandle()]) {
      expect(handle).not.toBeNull();
      handle?.close();
    }
  });

  it('makes the frames that the runtime makes, with the content size in their header', () => {
    const compressor = createCompressor();
    const lengths = [0, 1, 100, 255, 256, 257, 65_791, 65_792, 300_000, 5_000_000, 7, 0];
    for (const length of lengths) {
      const plain = Buffer.from(Array.from({ length }, (_, index) => (index * index) % 251));
      const frame = compressor.compress(plain);
      expect(zstdCompressSync(plain).equals(frame)).toBe(true);
      expect(contentSize(frame)).toBe(length);
      expect(zstdDecompressSync(frame).equals(plain)).toBe(true);
    }
    compressor.close();
  });

  it('takes shared memory, incompressible data, and any tuning', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(200_000));
    shared.set(randomBytes(200_000));
    for (const tuning of [{ level: 1 }, { level: 3 }, { level: 3, tableLog: 16 }, { level: 19 }]) {
      const compressor = createCompressor(tuning);
      for (let at = 0; at < 3; at += 1) {
        expect(decompress(compressor.compress(shared)).equals(Buffer.from(shared))).toBe(true);
      }
      compressor.close();
    }
  });

  it('gives back any bytes', () => {
    const compressor = createCompressor();
    const target = new Uint8Array(new SharedArrayBuffer(100_001));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(50), (bytes, times) => {
        const plain = Buffer.concat(Array(times).fill(bytes));
        expect(decompress(compressor.compress(plain)).equals(plain)).toBe(true);
        target.fill(0, plain.byteLength);
        expect(decompressInto(compressor.compress(plain), target)).toBe(plain.byteLength);
        expect(plain.equals(target.subarray(0, plain.byteLength))).toBe(true);
        expect(target[plain.byteLength]).toBe(0);
      }),
    );
    compressor.close();
  });
});

it('decompresses into what is large enough, also several frames', () => {
  const plain = randomBytes(1000);
  const frame = compressOnce(plain);
  expect(() => decompressInto(frame, new Uint8Array(999))).toThrow(damaged);
  expect(() => decompressInto(frame.subarray(1), new Uint8Array(1000))).toThrow(damaged);
  const target = new Uint8Array(2000);
  expect(decompressInto(Buffer.concat([frame, frame]), target)).toBe(2000);
  expect(Buffer.concat([plain, plain]).equals(target)).toBe(true);
});

describe('in a runtime that is built differently', () => {
  it.each([
    ['no handle', () => ({ destroy() {} })],
    [
      'a handle that does nothing',
      () => ({ _handle: { writeSync() {}, reset() {} }, _writeState: [0, 0], destroy() {} }),
    ],
    ['no streams', () => undefined],
  ])('%s: the one-shot calls do the work', async (_, stream) => {
    vi.resetModules();
    vi.doMock('node:zlib', async (original) => ({
      ...(await original<typeof import('node:zlib')>()),
      createZstdCompress: stream,
      createZstdDecompress: stream,
    }));
    const handles = await import('./zstd-handle.ts');
    expect(handles.openCompressorHandle({ level: 3 })).toBeNull();
    expect(handles.openDecompressorHandle()).toBeNull();
    const zstd = await import('./zstd.ts');
    const compressor = zstd.createCompressor();
    expect(zstd.decompress(compressor.compress(Buffer.from('as ever'))).toString()).toBe('as ever');
    compressor.close();
    vi.doUnmock('node:zlib');
  });
});

describe('decompress', () => {
  const plain = Buffer.from('some text, '.repeat(100));
  const frame = compressOnce(plain);

  it('knows damage', () => {
    for (let length = 0; length < frame.byteLength; length += 1) {
      expect(() => decompress(frame.subarray(0, length))).toThrow(damaged);
    }
    expect(() => decompress(Buffer.from('no frame at all'))).toThrow(damaged);
    expect(() => decompress(Buffer.concat([frame, Buffer.from('junk')]))).toThrow(damaged);
    const bad = Buffer.from(frame);
    bad[0] = 0;
    expect(() => decompress(bad)).toThrow(damaged);
    expect(decompress(frame).equals(plain)).toBe(true);
  });

  it('makes no more bytes than it may', () => {
    expect(decompress(frame, 1100).equals(plain)).toBe(true);
    expect(() => decompress(frame, 1099)).toThrow(damaged);
    const bomb = compressOnce(Buffer.alloc(20_000_000));
    expect(() => decompress(bomb, 1_000_000)).toThrow(damaged);
  });

  it('asks for memory only when the frame can hold so much', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    // One block of zeros that says it is 4 GiB, and 608 MiB of zeros in 19 KiB, both as long as an index may say.
    for (const bomb of [zeros({ blocks: 1, says: 2 ** 32 - 1 }), zeros({ blocks: 4864 })]) {
      expect(() => decompress(bomb, 2 ** 32 - 1)).toThrow(damaged);
    }
    expect(allocate).not.toHaveBeenCalled();
    allocate.mockRestore();
    const most = zeros({ blocks: 64 });
    expect(decompress(most, 8 * 1024 * 1024).equals(Buffer.alloc(8 * 1024 * 1024))).toBe(true);
    const written = compressOnce(Buffer.alloc(16 * 1024 * 1024), { level: 19 });
    expect(decompress(written).byteLength).toBe(16 * 1024 * 1024);
  });

  it('has room for whatever is not absurd', () => {
    const mib = 1024 * 1024;
    expect(mostBytesIn(100)).toBe(100 * 32 * 1024);
    expect([mostBytesIn(mib / 64), mostBytesIn(mib / 2)]).toEqual([512 * mib, 512 * mib]);
    expect(mostBytesIn(4 * mib)).toBe(4096 * mib);
  });

  it('takes frames without a content size, and several in a row', async () => {
    const stream = createZstdCompress({ params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    const ended = new Promise((resolve) => stream.once('end', resolve));
    stream.end(plain);
    await ended;
    const unsized = Buffer.concat(parts);
    expect(contentSize(unsized)).toBeNull();
    expect(decompress(unsized).equals(plain)).toBe(true);
    expect(() => decompress(unsized, 1099)).toThrow(damaged);
    expect(decompress(Buffer.concat([frame, unsized, frame])).byteLength).toBe(3300);
    expect(decompress(compressOnce(Buffer.alloc(0))).byteLength).toBe(0);
  });
});

/** A frame of zeros, each block of 4 bytes 128 KiB of them; `says`: the content size in the header. */
function zeros({ blocks, says = blocks * 128 * 1024 }: { readonly blocks: number; readonly says?: number }): Buffer {
  const frame = Buffer.alloc(10 + 4 * blocks);
  frame.writeUInt32LE(0xfd2fb528);
  frame.writeUInt16LE(0x3880, 4); // content size in 4 bytes, window of 128 KiB
  frame.writeUInt32LE(says, 6);
  for (let block = 0; block < blocks; block += 1) {
    frame.writeUInt32LE((128 * 1024 * 8) | 2 | (block === blocks - 1 ? 1 : 0), 10 + 4 * block);
  }
  return frame;
}

describe('unpacked file', () => {
  const box = createSealedBox(createMasterKey());
  const json = Buffer.from(`{"text":"${'again '.repeat(200)}"}`);

  it('is compressed in version 2 only, and read in both', () => {
    const [one, two] = [sealFile(box, json, 1), sealFile(box, json, 2)];
    expect(one.byteLength).toBe(json.byteLength + 32);
    expect(two.byteLength).toBeLessThan(200);
    expect(openFile(box, one).equals(json)).toBe(true);
    expect(openFile(box, two).equals(json)).toBe(true);
    expect(box.open(two)[0]).toBe(2);
    expect(openFile(box, box.seal(Buffer.from('[1]'))).toString()).toBe('[1]');
  });

  it('is the same when its JSON comes in pieces', async () => {
    const inPieces = () => ({
      sizeBytes: json.byteLength,
      pieces: [json.subarray(0, 1), json.subarray(1, 700), json.subarray(700)].values(),
    });
    const [one, two] = [await sealPieces(box, inPieces(), 1), await sealPieces(box, inPieces(), 2)];
    expect(one.byteLength).toBe(json.byteLength + 32);
    expect(two.byteLength).toBeLessThan(200);
    expect(openFile(box, one).equals(json)).toBe(true);
    expect(openFile(box, two).equals(json)).toBe(true);
    expect(contentSize(box.open(two).subarray(1))).toBe(json.byteLength);
    await expect(compressPieces([json], json.byteLength + 1)).rejects.toThrow();
  });

  it('is no larger than it may be', () => {
    const bytes = sealFile(box, json, 2);
    expect(openFile(box, bytes, json.byteLength).equals(json)).toBe(true);
    expect(() => openFile(box, bytes, json.byteLength - 1)).toThrow(damaged);
  });

  it('refuses other encodings', () => {
    for (const plain of ['', '\u0001{}', '3{}', ' {}', '\u0002{}']) {
      expect(() => openFile(box, box.seal(Buffer.from(plain)))).toThrow(damaged);
    }
  });
});
