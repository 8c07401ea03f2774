/** Binary logs for tests, event by event, with right lengths, places and checksums. */
import { crc32 } from 'node:zlib';

export interface MadeEvent {
  readonly type: number;
  readonly time: number;
  readonly body: Buffer;
  /** Left out: of the server of the log. */
  readonly serverId?: number;
}

/** Of an archive below `p`, not encrypted. */
export const binlogSettings = {
  ...{ prefix: 'p', recipients: [], identities: [], compressionLevel: 3, parallelism: 1, logFile: null },
  storage: { type: 'memory', config: {} },
};

const FORMAT = 15;
const GTID = 162;
const GTID_LIST = 163;
const QUERY = 2;
const ANONYMOUS_GTID = 34;

/** A statement as the server logs it, run in `database`. */
export function makeStatement(time: number, database: string, text: string): MadeEvent {
  const head = Buffer.alloc(13);
  head.writeUInt8(database.length, 8);
  return { type: QUERY, time, body: Buffer.concat([head, Buffer.from(`${database}\0${text}`)]) };
}

/** Where the domains were when the log began: `0-1-5`. */
export function makeGtidList(time: number, gtids: readonly string[]): MadeEvent {
  const body = Buffer.alloc(4 + gtids.length * 16);
  body.writeUInt32LE(gtids.length, 0);
  for (const [index, gtid] of gtids.entries()) {
    const [domain = 0, server = 0, sequence = 0] = gtid.split('-').map(Number);
    body.writeUInt32LE(domain, 4 + index * 16);
    body.writeUInt32LE(server, 8 + index * 16);
    body.writeBigUInt64LE(BigInt(sequence), 12 + index * 16);
  }
  return { type: GTID_LIST, time, body };
}

/** The beginning of a transaction of MariaDB. */
export function makeGtid(time: number, gtid: string): MadeEvent {
  const [domain = 0, serverId = 0, sequence = 0] = gtid.split('-').map(Number);
  const body = Buffer.alloc(19);
  body.writeBigUInt64LE(BigInt(sequence), 0);
  body.writeUInt32LE(domain, 8);
  return { type: GTID, time, body, serverId };
}

/** The beginning of a transaction of MySQL without GTIDs. */
export const makeUnnamed = (time: number, serverId: number): MadeEvent => ({
  ...{ type: ANONYMOUS_GTID, time, serverId, body: Buffer.alloc(42) },
});

/** The log of a server that began it at that moment. */
export function makeBinlog(createdAt: number, events: readonly MadeEvent[], serverId = 7): Buffer {
  let position = 4;
  const write = ({ type, time, body, serverId: id = serverId }: MadeEvent) => {
    const bytes = Buffer.concat([Buffer.alloc(19), body, Buffer.alloc(4)]);
    position += bytes.length;
    bytes.writeUInt32LE(time, 0);
    bytes.writeUInt8(type, 4);
    bytes.writeUInt32LE(id, 5);
    bytes.writeUInt32LE(bytes.length, 9);
    bytes.writeUInt32LE(position, 13);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
    return bytes;
  };
  const description = Buffer.alloc(80);
  description.writeUInt16LE(4, 0);
  description.writeUInt8(1, description.length - 1);
  const magic = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
  return Buffer.concat([magic, write({ type: FORMAT, time: createdAt, body: description }), ...events.map(write)]);
}
