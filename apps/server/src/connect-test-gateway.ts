/** The restic REST server alone on a port of this machine, over any storage; for tests of it and of its clients. */
import type { AddressInfo } from 'node:net';
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '@backupx/engine/ports/clock';
import type { Storage } from '@backupx/engine/ports/storage';
import { pino } from 'pino';
import type { GatewayRepository, StoredFile } from './features/repository-gateway/repository-directory.ts';
import { serveGateway } from './features/repository-gateway/serve-gateway.ts';
import type { AuditRecord } from './http/audit-trail.ts';
import { createServer } from './http/create-server.ts';

export interface TestGateway {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** `rest:http://user:token@…/r/<repository>/`, as restic wants it. */
  restic(repository: string, token?: string): string;
  /** May be changed at any time. */
  readonly repositories: Map<string, GatewayRepository>;
  readonly stored: StoredFile[];
  readonly audits: AuditRecord[];
  /** How many storages were opened. */
  readonly opened: () => number;
  stop(): Promise<void>;
}

export interface TestGatewayOptions {
  /** Opens the storage of `target.config`. */
  readonly openStorage: (config: Record<string, unknown>) => Storage;
  readonly onStored?: (file: StoredFile) => Promise<void>;
  readonly clock?: Pick<Clock, 'now' | 'monotonicMs'>;
}

/** The token of node `web-1`, which owns every repository whose name does not begin with `foreign`. */
export const testNodeToken = 'bxa_1_the-token-of-web-1';
/** The token of node `web-2`, which owns the same. */
export const otherNodeToken = 'bxa_2_the-token-of-web-2';
const nodesByToken = new Map([
  [testNodeToken, 'web-1'],
  [otherNodeToken, 'web-2'],
]);

/** A repository with nothing special about it. */
export function testRepository(id: number, changes: Partial<GatewayRepository> = {}): GatewayRepository {
  const target = { type: 'test', config: {} };
  return { id, target, prefix: `repositories/${id}`, isAppendOnly: true, quotaBytes: 0, usedBytes: 0, ...changes };
}

export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const fastify = await createServer({ logger: pino({ level: 'silent' }), trustedProxies: [], scriptHashes: [] });
  const repositories = new Map<string, GatewayRepository>();
  const [stored, audits]: [StoredFile[], AuditRecord[]] = [[], []];
  let openedCount = 0;
  serveGateway(fastify, {
    directory: {
      async find(name, { username, token }) {
        const caller = nodesByToken.get(token);
        if (!caller || (username !== null && username !== caller)) return { kind: 'unknown' };
        const repository = name.startsWith('foreign') ? undefined : repositories.get(name);
        return repository ? { kind: 'granted', repository, caller } : { kind: 'foreign', caller };
      },
    },
    engine: {
      openStorage({ type, config }) {
        if (type !== 'test') throw new AppError('STORAGE_TYPE_UNKNOWN', { type, known: 'test' });
        openedCount += 1;
        return options.openStorage(config);
      },
    },
    recordAudit: async (entry) => void audits.push(entry),
    async onStored(file) {
      stored.push(file);
      await options.onStored?.(file);
    },
    clock: options.clock ?? systemClock,
  });
  await fastify.listen({ host: '127.0.0.1', port: 0 });
  const { port } = fastify.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    restic: (repository, token = testNodeToken) => `rest:http://web-1:${token}@127.0.0.1:${port}/r/${repository}/`,
    repositories,
    stored,
    audits,
    opened: () => openedCount,
    async stop() {
      fastify.server.closeAllConnections();
      await fastify.close();
    },
  };
}
