import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { listeningPorts } from './listening-ports.ts';

it.skipIf(process.platform !== 'linux')('names the ports of a process while it listens', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  expect(listeningPorts(process.pid)).toContain(port);
  await new Promise((resolve) => server.close(resolve));
  expect(listeningPorts(process.pid)).not.toContain(port);
  expect(listeningPorts(2 ** 22 + 1)).toEqual([]);
});
