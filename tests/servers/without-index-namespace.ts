/**
 * A proxy before a server that speaks MongoDB's protocol: takes the field `ns` out of the indexes that clients create.
 * mongorestore still sends it and MongoDB passes over it; FerretDB refuses it.
 */
import { connect, createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';

const HEADER_BYTES = 16;
const OP_MSG = 2013;
/** Header, flags, and the kind of the first section. */
const BODY_AT = HEADER_BYTES + 4 + 1;

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** Listens on a free port of the loopback address. */
export async function startProxy(serverPort: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
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
        const isTaken = upstream.write(changed(held.subarray(0, size)));
        if (!isTaken) pauseUntilDrained(client, upstream);
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

function changed(message: Buffer): Buffer {
  const isCommand = message.readInt32LE(12) === OP_MSG && message[BODY_AT - 1] === 0;
  if (!isCommand || !message.subarray(BODY_AT, BODY_AT + 40).includes('createIndexes')) return message;
  const bodyBytes = message.readInt32LE(BODY_AT);
  const rest = message.subarray(BODY_AT + bodyBytes);
  const command = BSON.deserialize(message.subarray(BODY_AT, BODY_AT + bodyBytes), { promoteValues: false });
  for (const index of command.indexes ?? []) delete index.ns;
  const body = BSON.serialize(command);
  const head = Buffer.from(message.subarray(0, BODY_AT));
  head.writeInt32LE(BODY_AT + body.length + rest.length, 0);
  // Without the bit that announces a checksum: it would be another one.
  head.writeUInt32LE(head.readUInt32LE(HEADER_BYTES) & ~1, HEADER_BYTES);
  return Buffer.concat([head, body, rest]);
}
