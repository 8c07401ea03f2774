/**
 * Nodes for the console: list, add, rename, remove, new token, folders. Status and counts are derived on read. A token
 * is answered once, when it is made; the database has its hash.
 */
import { type Node, nodeRoutes } from '@backupx/contracts/api/nodes';
import { AppError } from '@backupx/contracts/errors';
import type { JobOf, ListDirectoryResult } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Fleet } from '../../dispatch/create-fleet.ts';
import { createNodeToken, hashNodeToken } from '../../dispatch/node-tokens.ts';
import type { Db } from '../../dispatch/ports.ts';
import type { EventBus } from '../../event-bus.ts';
import { type BoundRoute, bind, ok } from '../../http/route-context.ts';
import { isUniqueViolation } from '../../stores/is-unique-violation.ts';
import { DEFAULT_PAGE_SIZE, isPaged } from '../../stores/list-window.ts';
import { type NodeCounts, type NodeRow, nodesStore } from '../../stores/nodes.store.ts';
import { repositoriesStore } from '../../stores/repositories.store.ts';
import { toNode } from './to-node.ts';

const LIST_DIRECTORY_MS = 15_000;

export interface NodeRoutesDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly fleet: Fleet;
  /** The dispatcher's question to any node. */
  readonly askNode: (nodeId: number, job: JobOf<'list_directory'>, timeoutMs: number) => Promise<ListDirectoryResult>;
}

export function nodeRoutesOf(deps: NodeRoutesDeps): BoundRoute[] {
  const { db, clock, fleet } = deps;
  const nowText = () => clock.now().toISOString();

  const describe = (row: NodeRow, counts: NodeCounts): Node =>
    toNode(row, counts, { liveness: fleet.liveness.get(row.id), isOnline: fleet.liveness.isOnline(row.id) });

  async function read(id: number): Promise<NodeRow> {
    const row = await nodesStore.find(db, id);
    if (!row) throw new AppError('NODE_NOT_FOUND');
    return row;
  }

  async function answer(id: number): Promise<Node> {
    return describe(await read(id), (await nodesStore.counts(db))(id));
  }

  async function readRemote(id: number): Promise<NodeRow> {
    const row = await read(id);
    if (row.is_local === 1) throw new AppError('NODE_DELETE_LOCAL');
    return row;
  }

  /** Stores a new token's hash; from here on the old one is unknown. */
  async function issueToken(id: number): Promise<string> {
    const token = createNodeToken(id);
    await nodesStore.setTokenHash(db, id, hashNodeToken(token), nowText());
    fleet.revoke(id);
    return token;
  }

  return [
    bind(nodeRoutes.list, async ({ query }) => {
      const size = query.pageSize ?? DEFAULT_PAGE_SIZE;
      const limit = isPaged(query) ? size : null;
      const { items, total } = await nodesStore.list(db, query, {
        sort: query.sort,
        limit,
        offset: ((query.page ?? 1) - 1) * size,
      });
      const countsOf = await nodesStore.counts(db);
      const nodes = items.map((row) => describe(row, countsOf(row.id)));
      return isPaged(query) ? { items: nodes, total } : nodes;
    }),

    bind(nodeRoutes.get, ({ params }) => answer(params.id)),

    bind(nodeRoutes.create, async ({ body, audit }) => {
      audit({ target: body.name });
      const id = await nodesStore.insert(db, body.name, nowText()).catch(asNameTaken(body.name));
      const token = await issueToken(id);
      deps.events.publish({ type: 'node_changed', nodeId: id, isOnline: false });
      return { ...(await answer(id)), token };
    }),

    bind(nodeRoutes.update, async ({ params, body, audit }) => {
      const before = await read(params.id);
      audit({ target: before.name, detail: `renamed to ${body.name}` });
      await nodesStore.rename(db, params.id, body.name, nowText()).catch(asNameTaken(body.name));
      fleet.tokens.invalidate(params.id);
      const node = await answer(params.id);
      deps.events.publish({ type: 'node_changed', nodeId: node.id, isOnline: node.status === 'online' });
      return node;
    }),

    bind(nodeRoutes.remove, async ({ params, audit }) => {
      const row = await readRemote(params.id);
      audit({ target: row.name });
      const count = await nodesStore.countLivingTasks(db, row.id);
      if (count > 0) throw new AppError('NODE_HAS_TASKS', { node: row.name, count });
      const held = await repositoriesStore.countOfNodeDisk(db, row.id);
      if (held > 0) throw new AppError('NODE_HAS_REPOSITORIES', { node: row.name, count: held });
      // Runs of deleted tasks may still be under way; they end as interrupted, not as running for ever.
      await fleet.commands.endNode(row.id, row.name);
      await nodesStore.remove(db, row.id);
      fleet.revoke(row.id);
      fleet.liveness.forget(row.id);
      deps.events.publish({ type: 'node_changed', nodeId: row.id, isOnline: false });
      return ok;
    }),

    bind(nodeRoutes.rotateToken, async ({ params, audit }) => {
      const row = await readRemote(params.id);
      audit({ target: row.name });
      const token = await issueToken(row.id);
      return { ...(await answer(row.id)), token };
    }),

    bind(nodeRoutes.listDirectory, async ({ params, query }) => {
      await read(params.id);
      return await deps.askNode(params.id, { kind: 'list_directory', path: query.path }, LIST_DIRECTORY_MS);
    }),
  ];
}

function asNameTaken(name: string) {
  return (error: unknown): never => {
    throw isUniqueViolation(error) ? new AppError('NODE_NAME_TAKEN', { name }, { cause: error }) : error;
  };
}
