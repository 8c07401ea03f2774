import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenDatabase } from '../database/open-database.ts';
import { createTestDatabase } from '../database/test-database.ts';
import { commandsStore } from './commands.store.ts';
import { nodesStore } from './nodes.store.ts';

const NOW = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-02T00:00:00.000Z';
const both = ['control', 'work'] as const;

let open: OpenDatabase;
let nodeId: number;

beforeEach(async () => {
  open = await createTestDatabase();
  nodeId = await nodesStore.insert(open.db, 'web-1', NOW);
});
afterEach(() => open.close());

const insert = (more: Partial<Parameters<typeof commandsStore.insert>[1]> = {}) =>
  commandsStore.insert(open.db, {
    nodeId,
    type: 'run_task',
    lane: 'work',
    payload: { taskId: 1, recordId: 2 },
    recordId: 2,
    now: NOW,
    expiresAt: LATER,
    ...more,
  });
const claim = (lanes: readonly ('work' | 'control')[] = both) =>
  commandsStore.claim(open.db, { nodeId, lanes, bootId: 'b1', now: NOW });

describe('claim', () => {
  it('gives each of 200 commands to exactly one of 50 pollers', async () => {
    const ids: number[] = [];
    for (let index = 0; index < 200; index += 1) ids.push(await insert());
    const taken: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        for (let row = await claim(); row; row = await claim()) taken.push(row.id);
      }),
    );
    expect(taken.toSorted((a, b) => a - b)).toEqual(ids);
  });

  it('prefers questions, keeps the order, and obeys the lanes', async () => {
    const work = await insert();
    const question = await insert({ type: 'list_dir', lane: 'control', payload: { ref: 'r' } });
    expect((await claim(['work']))?.id).toBe(work);
    const second = await insert();
    expect((await claim())?.id).toBe(question);
    expect((await claim(['control']))?.id).toBeUndefined();
    expect((await claim())?.id).toBe(second);
  });

  it('hands out no question that is too late, but work that is', async () => {
    await insert({ type: 'list_dir', lane: 'control', payload: {}, expiresAt: NOW });
    const work = await insert({ expiresAt: NOW });
    expect((await claim())?.id).toBe(work);
    expect(await claim()).toBeUndefined();
  });

  it('does not see the commands of other nodes', async () => {
    await insert({ nodeId: await nodesStore.insert(open.db, 'web-2', NOW) });
    expect(await claim()).toBeUndefined();
  });

  it('writes who has it since when', async () => {
    await insert();
    expect(await claim()).toMatchObject({ state: 'dispatched', dispatched_at: NOW, boot_id: 'b1' });
  });
});

describe('finish', () => {
  it('ends a command once', async () => {
    const id = await insert();
    await claim();
    expect(await commandsStore.finish(open.db, id, { state: 'succeeded', now: NOW })).toBe(true);
    expect(await commandsStore.finish(open.db, id, { state: 'failed', now: LATER })).toBe(false);
    expect(await commandsStore.find(open.db, id)).toMatchObject({ state: 'succeeded', completed_at: NOW });
  });

  it('leaves a claimed command alone when only a waiting one may end', async () => {
    const id = await insert();
    await claim();
    expect(await commandsStore.finish(open.db, id, { state: 'timeout', from: ['pending'], now: NOW })).toBe(false);
  });

  it('is not undone by a requeue', async () => {
    const id = await insert();
    await claim();
    await commandsStore.finish(open.db, id, { state: 'failed', now: NOW });
    expect(await commandsStore.requeue(open.db, id, NOW, LATER)).toBe(false);
  });
});

it('purges what ended long ago and nothing else', async () => {
  const ended = await insert();
  await claim();
  await commandsStore.finish(open.db, ended, { state: 'failed', now: NOW });
  const waiting = await insert();
  expect(await commandsStore.purgeEndedBefore(open.db, LATER)).toBe(1);
  expect(await commandsStore.find(open.db, ended)).toBeUndefined();
  expect(await commandsStore.find(open.db, waiting)).toBeDefined();
});
