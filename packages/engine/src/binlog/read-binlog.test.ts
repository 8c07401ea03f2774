import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readBinlog } from './read-binlog.ts';

let position = 4;

function event(type: number, body: Buffer, { flags = 0, time = 100 } = {}): Buffer {
  const bytes = Buffer.alloc(19 + body.length + 4);
  position += bytes.length;
  bytes.writeUInt32LE(time, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(7, 5);
  bytes.writeUInt32LE(bytes.length, 9);
  bytes.writeUInt32LE(position, 13);
  body.copy(bytes, 19);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  // As the server marks the file it writes: the checksum is that without the mark.
  bytes.writeUInt16LE(flags, 17);
  return bytes;
}

function description(flags = 0): Buffer {
  const body = Buffer.alloc(80);
  body.writeUInt16LE(4, 0);
  body.write('10.11.19-MariaDB', 2, 'latin1');
  body.writeUInt8(1, body.length - 1);
  return event(15, body, { flags });
}

function gtid(domain: number, sequence: bigint, time: number): Buffer {
  const body = Buffer.alloc(19);
  body.writeBigUInt64LE(sequence, 0);
  body.writeUInt32LE(domain, 8);
  return event(162, body, { time });
}

function makeLog({ isInUse = false } = {}): Buffer[] {
  position = 4;
  const rotate = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('bin.000002')]);
  return [
    ...[
      Buffer.from([0xfe, 0x62, 0x69, 0x6e]),
      description(isInUse ? 1 : 0),
      gtid(0, 8n, 110),
      event(2, Buffer.alloc(100_000), { time: 110 }),
    ],
    ...[gtid(1, 3n, 120), event(16, Buffer.alloc(8), { time: 120 }), event(4, rotate, { time: 130 })],
  ];
}

async function* inPieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
const read = (bytes: Uint8Array, more: { isPartial?: boolean; mustHavePosition?: number } = {}, size = 1000) =>
  readBinlog(inPieces(bytes, size), { name: 'bin.000001', ...more });

describe('a binary log', () => {
  it.each([7, 1000, 1e6])('tells what is in it, whatever its pieces: %i', async (size) => {
    const bytes = Buffer.concat(makeLog());
    expect(await read(bytes, {}, size)).toMatchObject({
      ...{ serverId: 7, serverVersion: '10.11.19-MariaDB', createdAt: 100, firstAt: 100, lastAt: 130 },
      ...{
        sizeBytes: bytes.length,
        transactions: 2,
        repeated: 0,
        gtids: ['0-7-8', '1-7-3'],
        end: 'rotate',
        nextFile: 'bin.000002',
      },
    });
  });

  it('may be in use', async () => {
    const parts = makeLog({ isInUse: true }).slice(0, -1);
    expect(await read(Buffer.concat(parts))).toMatchObject({ end: 'open', nextFile: null });
  });

  it('ends with its last whole event when it goes on', async () => {
    const parts = makeLog();
    const whole = Buffer.concat(parts.slice(0, 5));
    const facts = await read(whole);
    for (const rest of [1, 18, 19, 25]) {
      const cut = Buffer.concat([whole, (parts[5] as Buffer).subarray(0, rest)]);
      expect(await read(cut, { isPartial: true })).toEqual(facts);
      await expect(read(cut)).rejects.toMatchObject({ code: 'BINLOG_DAMAGED' });
    }
  });

  it('counts no flipped byte as good', async () => {
    const bytes = Buffer.concat(makeLog());
    const places = [0, 4, 8, 12, 30, 90, 120, 140, 200, 50_000, bytes.length - 30, bytes.length - 1];
    for (const at of places) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 0x20;
      await expect(read(bad), `byte ${at}`).rejects.toMatchObject({ code: 'BINLOG_DAMAGED' });
    }
  });

  it('must have an event where a replay begins', async () => {
    const parts = makeLog();
    const at = Buffer.concat(parts.slice(0, 2)).length;
    await expect(read(Buffer.concat(parts), { mustHavePosition: at })).resolves.toBeDefined();
    await expect(read(Buffer.concat(parts), { mustHavePosition: at + 1 })).rejects.toMatchObject({
      code: 'BINLOG_DAMAGED',
    });
  });

  it('is nothing without an event', async () => {
    await expect(read(Buffer.from([0xfe, 0x62, 0x69, 0x6e]))).rejects.toMatchObject({ code: 'BINLOG_DAMAGED' });
  });
});
