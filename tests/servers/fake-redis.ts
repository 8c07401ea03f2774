/** What a backup talks to in the place of a Redis server: it hands out a dump as that is, which no real one would. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Starts one on a free port. `info`: what it says of itself. */
export async function startFakeRedis(dump: Buffer, info = ''): Promise<{ readonly port: number; close(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    // One command comes at a time, and whole.
    socket.on('data', (chunk) => {
      const command = /\$\d+\r\n(\w+)/.exec(String(chunk))?.[1] ?? '';
      if (command === 'SYNC') socket.write(Buffer.concat([Buffer.from(`$${dump.length}\r\n`), dump]));
      else socket.write(command === 'INFO' ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
