/** A real agent process with a private state folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Node } from '@backupx/contracts/api/nodes';
import type { Client } from './master.ts';
import { type Program, startProgram, waitFor } from './start-program.ts';

export interface Agent {
  readonly nodeId: number;
  readonly token: string;
  readonly folder: string;
  program: Program;
  restart(): void;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Creates the node, starts its agent and waits until the master sees it online. */
export async function startAgent(client: Client, folder: string, name: string, masterUrl = client.url): Promise<Agent> {
  const node = await client.call<Node & { token: string }>('POST', '/api/nodes', { name });
  mkdirSync(folder, { recursive: true });
  const tokenFile = path.join(folder, 'token');
  writeFileSync(tokenFile, `${node.token}\n`, { mode: 0o600 });
  const args = [
    'agent',
    '--master',
    masterUrl,
    '--token-file',
    tokenFile,
    '--temp-dir',
    path.join(folder, 'temp'),
    '--state-dir',
    path.join(folder, 'state'),
  ];
  const launch = (): Program => startProgram(args, { cwd: folder });
  const agent: Agent = {
    nodeId: node.id,
    token: node.token,
    folder,
    program: launch(),
    restart() {
      agent.program = launch();
    },
    stop: (signal) => agent.program.stop(signal),
  };
  await waitForOnline(client, node.id).catch((error: Error) => {
    throw new Error(`${error.message}\n${agent.program.output()}`);
  });
  return agent;
}

export function waitForOnline(client: Client, nodeId: number, timeoutMs = 60_000): Promise<Node> {
  return waitFor(
    `node ${nodeId} is online`,
    async () => {
      const node = await client.call<Node>('GET', `/api/nodes/${nodeId}`);
      return node.status === 'online' ? node : null;
    },
    timeoutMs,
  );
}
