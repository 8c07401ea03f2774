/** A TCP relay on loopback whose traffic a test can stop or cut, to play a slow or broken network. */
import { connect, createServer, type Socket } from 'node:net';

export interface StallingProxy {
  readonly endpoint: string;
  /** From now on nothing that the client sends is taken. */
  stall(): void;
  /** Traffic flows again. */
  resume(): void;
  /** Cuts every connection after this many further bytes from the server; null: never. */
  cutAfter(bytes: number | null): void;
  /** Connections cut so far. */
  readonly cuts: number;
  close(): Promise<void>;
}

/** Starts a relay to `target` (an `http://host:port` address). */
export async function startStallingProxy(target: string): Promise<StallingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let isStalled = false;
  let left: number | null = null;
  let cuts = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    clients.add(client);
    const dispose = () => {
      clients.delete(client);
      for (const socket of [client, upstream]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', dispose).on('close', dispose);
    }
    client.on('data', (chunk) => {
      if (upstream.write(chunk)) return;
      client.pause();
      upstream.once('drain', () => isStalled || client.resume());
    });
    upstream.on('data', (chunk) => {
      if (left !== null) {
        left -= chunk.length;
        if (left < 0) {
          left = null;
          cuts += 1;
          dispose();
          return;
        }
      }
      if (client.write(chunk)) return;
      upstream.pause();
      client.once('drain', () => upstream.resume());
    });
    if (isStalled) client.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    stall() {
      isStalled = true;
      for (const client of clients) client.pause();
    },
    resume() {
      isStalled = false;
      for (const client of clients) client.resume();
    },
    cutAfter(bytes) {
      left = bytes;
    },
    get cuts() {
      return cuts;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
