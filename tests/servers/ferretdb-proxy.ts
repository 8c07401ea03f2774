/**
 * A proxy before FerretDB that does what mongorestore expects and FerretDB does not: takes the field `ns` out of the
 * indexes that are created (MongoDB passes over it, FerretDB refuses it), and answers `applyOps`, which it only keeps.
 */
import { connect, createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/** Header, flags, and the kind of the first section. */
const BODY_AT = HEADER_BYTES + 4 + 1;

export interface FerretdbProxy {
  readonly port: number;
  /** Operations that clients replayed. */
  readonly applied: BSON.Document[];
  stop(): Promise<void>;
}

/** Listens on a free port of the loopback address. */
export async function startProxy(serverPort: number): Promise<FerretdbProxy> {
  const sockets = new Set<Socket>();
  const applied: BSON.Document[] = [];
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    upstream.pipe(client);
    let held = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= held.readInt32LE(0)) {
        const size = held.readInt32LE(0);
        const message = held.subarray(0, size);
        const ops = appliedBy(message);
        applied.push(...(ops ?? []));
        if (ops) client.write(answerTo(message));
        else if (!upstream.write(changed(message))) pauseUntilDrained(client, upstream);
        held = held.subarray(size);
      }
    });
    client.on('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    applied,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pauseUntilDrained(client: Socket, upstream: Socket): void {
  client.pause();
  upstream.once('drain', () => client.resume());
}

const isCommand = (message: Buffer, name: string): boolean =>
  message.readInt32LE(12) === OP_MSG &&
  message[BODY_AT - 1] === 0 &&
  message.subarray(BODY_AT, BODY_AT + 40).includes(`${name}\0`);

const bodyOf = (message: Buffer): Buffer => message.subarray(BODY_AT, BODY_AT + message.readInt32LE(BODY_AT));

/** Null for another command. */
function appliedBy(message: Buffer): BSON.Document[] | null {
  return isCommand(message, 'applyOps') ? BSON.deserialize(bodyOf(message)).applyOps : null;
}

function answerTo(message: Buffer): Buffer {
  const body = BSON.serialize({ ok: 1 });
  const head = Buffer.alloc(BODY_AT);
  head.writeInt32LE(BODY_AT + body.length, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}

function changed(message: Buffer): Buffer {
  if (!isCommand(message, 'createIndexes')) return message;
  const command = BSON.deserialize(bodyOf(message), { promoteValues: false });
  const rest = message.subarray(BODY_AT + bodyOf(message).length);
  for (const index of command.indexes ?? []) delete index.ns;
  const body = BSON.serialize(command);
  const head = Buffer.from(message.subarray(0, BODY_AT));
  head.writeInt32LE(BODY_AT + body.length + rest.length, 0);
  // Without the bit that announces a checksum: it would be another one.
  head.writeUInt32LE(head.readUInt32LE(HEADER_BYTES) & ~1, HEADER_BYTES);
  return Buffer.concat([head, body, rest]);
}
