import type { ConsoleEvent } from '@backupx/contracts/events';
import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenDatabase } from '../database/open-database.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { createEventBus } from '../event-bus.ts';
import { nodesStore } from '../stores/nodes.store.ts';
import { createNodeLiveness, type NodeLiveness } from './node-liveness.ts';

let open: OpenDatabase;
let clock: FakeClock;
let liveness: NodeLiveness;
let nodeId: number;
let events: ConsoleEvent[];
let warnings: string[];

function create(): NodeLiveness {
  const bus = createEventBus();
  bus.subscribe(({ event }) => events.push(event));
  const log = { info() {}, warn: (_fields: object, message: string) => void warnings.push(message), error() {} };
  return createNodeLiveness({ db: open.db, clock, events: bus, log });
}

beforeEach(async () => {
  events = [];
  warnings = [];
  clock = createFakeClock();
  open = await createTestDatabase();
  nodeId = await nodesStore.insert(open.db, 'web-1', clock.now().toISOString());
  liveness = create();
});
afterEach(async () => {
  await liveness.stop();
  await open.close();
});

describe('online', () => {
  it('from the first beat until 45 s after the last, told once each', async () => {
    expect(liveness.isOnline(nodeId)).toBe(false);
    liveness.beat(nodeId, { hostname: 'h' }, 1);
    liveness.beat(nodeId, { hostname: 'h' }, 1);
    await clock.advance(45_000);
    liveness.scan();
    expect(liveness.isOnline(nodeId)).toBe(true);
    await clock.advance(1);
    expect(liveness.isOnline(nodeId)).toBe(false);
    liveness.scan();
    liveness.scan();
    expect(events).toEqual([
      { type: 'node_changed', nodeId, isOnline: true },
      { type: 'node_changed', nodeId, isOnline: false },
    ]);
  });

  it('ends at once with a planned stop', () => {
    liveness.beat(nodeId, {}, 2);
    liveness.beat(nodeId, { stopping: true }, 2);
    expect(liveness.isOnline(nodeId)).toBe(false);
    expect(events.at(-1)).toMatchObject({ isOnline: false });
  });

  it('survives a restart of the master', async () => {
    liveness.beat(nodeId, { hostname: 'h', bootId: 'b', instanceId: 'i' }, 2);
    await liveness.stop();
    liveness = create();
    await liveness.start();
    expect(liveness.isOnline(nodeId)).toBe(true);
    expect(liveness.get(nodeId)).toMatchObject({ hostname: 'h', boot_id: 'b', protocol: 2 });
  });
});

describe('writing', () => {
  it('takes many beats in one batch and never touches the node itself', async () => {
    const before = await nodesStore.find(open.db, nodeId);
    for (let index = 0; index < 1000; index += 1) liveness.beat(nodeId, { hostname: `h${index}` }, 1);
    expect(await nodesStore.allLiveness(open.db)).toEqual([]);
    await liveness.flush();
    expect(await nodesStore.allLiveness(open.db)).toMatchObject([{ node_id: nodeId, hostname: 'h999' }]);
    expect(await nodesStore.find(open.db, nodeId)).toEqual(before);
  });

  it('leaves out a node that was deleted meanwhile', async () => {
    liveness.beat(nodeId, {}, 1);
    await nodesStore.remove(open.db, nodeId);
    await liveness.flush();
    expect(await nodesStore.allLiveness(open.db)).toEqual([]);
  });

  it('costs less than 50 µs a beat', () => {
    const started = performance.now();
    for (let index = 0; index < 20_000; index += 1) liveness.beat(nodeId, { hostname: 'h', ipAddress: 'i' }, 2);
    expect((performance.now() - started) / 20_000).toBeLessThan(0.05);
  });
});

describe('one token, two agents', () => {
  it('turns a second installation away while the first is alive', async () => {
    liveness.beat(nodeId, { instanceId: 'one' }, 2);
    expect(() => liveness.beat(nodeId, { instanceId: 'two' }, 2)).toThrow(
      expect.objectContaining({ code: 'CONFLICT' }),
    );
    expect(() => liveness.beat(nodeId, {}, 1)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(warnings).toHaveLength(1);
    await clock.advance(45_001);
    liveness.beat(nodeId, { instanceId: 'two' }, 2);
    expect(liveness.get(nodeId)?.instance_id).toBe('two');
  });

  it('lets a replacement in after a planned stop', () => {
    liveness.beat(nodeId, { instanceId: 'one', stopping: true }, 2);
    liveness.beat(nodeId, { instanceId: 'two' }, 2);
    expect(liveness.isOnline(nodeId)).toBe(true);
  });

  it('sees machines that alternate, and forgets one that left', async () => {
    liveness.beat(nodeId, { hostname: 'a' }, 1);
    expect(liveness.isShared(nodeId)).toBe(false);
    liveness.beat(nodeId, { hostname: 'b' }, 1);
    expect(liveness.isShared(nodeId)).toBe(true);
    await clock.advance(46_000);
    liveness.beat(nodeId, { hostname: 'b' }, 1);
    expect(liveness.isShared(nodeId)).toBe(false);
  });
});
