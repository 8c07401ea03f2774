import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readChunks } from './read-chunks.ts';
import { takeApart } from './take-apart.ts';

function head(type: string, path: string): Buffer {
  const fixed = Buffer.alloc(14);
  fixed.write('XBSTCK01', 'latin1');
  fixed.write(type, 9, 'latin1');
  fixed.writeUInt32LE(Buffer.byteLength(path), 10);
  return Buffer.concat([fixed, Buffer.from(path)]);
}

function data(path: string, position: number, text: string): Buffer {
  const numbers = Buffer.alloc(20);
  numbers.writeBigUInt64LE(BigInt(text.length), 0);
  numbers.writeBigUInt64LE(BigInt(position), 8);
  numbers.writeUInt32LE(crc32(text), 16);
  return Buffer.concat([head('P', path), numbers, Buffer.from(text)]);
}

const end = (path: string): Buffer => head('E', path);

/** `holes`: pairs of zeros to skip and bytes that follow. */
function sparse(path: string, holes: readonly [number, number][], text: string): Buffer {
  const map = Buffer.alloc(holes.length * 8);
  for (const [index, [skip, length]] of holes.entries()) {
    map.writeUInt32LE(skip, index * 8);
    map.writeUInt32LE(length, index * 8 + 4);
  }
  const numbers = Buffer.alloc(24);
  numbers.writeUInt32LE(holes.length, 0);
  numbers.writeBigUInt64LE(BigInt(text.length), 4);
  numbers.writeUInt32LE(crc32(Buffer.concat([map, Buffer.from(text)])), 20);
  return Buffer.concat([head('S', path), numbers, map, Buffer.from(text)]);
}

const GOOD = Buffer.concat([
  ...[
    data('ib_logfile0', 0, 'log'),
    data('ibdata1', 0, 'one '),
    data('ib_logfile0', 3, ' more'),
    data('a/b.ibd', 0, 'x'),
  ],
  ...[data('ibdata1', 4, 'two'), end('ibdata1'), end('a/b.ibd'), end('empty.frm'), end('ib_logfile0')],
]);

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function filesOf(bytes: Uint8Array, size = 7, wanted = (_: string) => true): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'chunks-'));
  const files: Record<string, string> = {};
  try {
    for await (const { path, content } of takeApart(readChunks(inPieces(bytes, size)), folder)) {
      if (!wanted(path)) continue;
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      files[path] = Buffer.concat(chunks).toString();
    }
    expect(readdirSync(folder)).toEqual([]);
    return files;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a stream of files', () => {
  it.each([1, 7, 1000])('is taken apart, whatever its pieces: %i', async (size) => {
    const expected = { ibdata1: 'one two', 'a/b.ibd': 'x', 'empty.frm': '', ib_logfile0: 'log more' };
    expect(await filesOf(GOOD, size)).toEqual(expected);
  });

  it('passes also when a file is not wanted', async () => {
    expect(await filesOf(GOOD, 7, (path) => path !== 'ibdata1')).not.toHaveProperty('ibdata1');
  });

  it('may have holes', async () => {
    const chunk = sparse(
      't.ibd',
      [
        [0, 2],
        [5, 1],
        [3, 0],
      ],
      'abc',
    );
    expect(await filesOf(Buffer.concat([chunk, end('t.ibd')]))).toEqual({ 't.ibd': 'ab\0\0\0\0\0c\0\0\0' });
  });

  it('counts no flipped byte as good', async () => {
    for (let at = 0; at < GOOD.length; at += 1) {
      // The flags mean nothing for the types there are.
      if (GOOD.subarray(at - 8, at).toString('latin1') === 'XBSTCK01') continue;
      const bad = Buffer.from(GOOD);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      const files = await filesOf(bad).catch((error) => error.code);
      // A letter of a name is what a checksum does not cover: then an end is missing, or a file has another name.
      if (typeof files !== 'string')
        expect(Object.keys(files)).not.toEqual(['ibdata1', 'a/b.ibd', 'empty.frm', 'ib_logfile0']);
      else expect(files).toBe('DATABASE_DUMP_DAMAGED');
    }
  });

  it.each([
    ['is cut off', GOOD.subarray(0, GOOD.length - 3)],
    ['lacks the end of a file', GOOD.subarray(0, GOOD.length - end('ib_logfile0').length)],
    ['is empty', Buffer.alloc(0)],
    ['leaves its folder', Buffer.concat([data('../x', 0, 'x'), end('../x')])],
    ['goes on after an end', Buffer.concat([end('a'), data('a', 0, 'x'), end('a')])],
    ['has a gap', Buffer.concat([data('a', 1, 'x'), end('a')])],
    ['has an unknown type', head('R', 'a')],
  ])('is refused when it %s', async (_, bytes) => {
    await expect(filesOf(bytes)).rejects.toMatchObject({ code: 'DATABASE_DUMP_DAMAGED' });
  });
});
