/**
 * Two agents write into one repository, the same data coming and going, while records are deleted and the master cleans
 * up without pause. Nothing that a snapshot needs may be lost. `CLEAN_UP_SECONDS` makes it longer.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MaintenanceRecord } from '@backupx/contracts/api/maintenance';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Repository } from '@backupx/contracts/api/repositories';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Agent, startAgent } from '../support/agent.ts';
import { compareTrees } from '../support/compare-trees.ts';
import {
  ApiError,
  createLocalTarget,
  createTask,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
} from '../support/master.ts';
import { restic } from '../support/restic.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('clean-up');
const seconds = Number(process.env.CLEAN_UP_SECONDS ?? 60);
let master: Master;
let agents: Agent[] = [];

beforeAll(async () => {
  master = await startMaster(work.path);
  agents = [
    await startAgent(master.client, work.at('agent-1'), 'web-1'),
    await startAgent(master.client, work.at('agent-2'), 'web-2'),
  ];
}, 120_000);
afterAll(async () => {
  for (const agent of agents) await agent.stop();
  await master?.stop();
  work.remove();
});

const call = <T>(method: string, route: string, body?: unknown): Promise<T> =>
  master.client.call<T>(method, route, body);

/** The same pieces of noise for both: what one forgets the other may store at the same moment. */
const pieces = Array.from({ length: 12 }, () => randomBytes(700_000));

/** Puts a random half of the pieces into a source. */
function shuffle(source: string): void {
  mkdirSync(source, { recursive: true });
  for (const [index, piece] of pieces.entries()) {
    const file = path.join(source, `piece-${index}`);
    if (Math.random() < 0.5) writeFileSync(file, piece);
    else rmSync(file, { force: true });
  }
  writeFileSync(path.join(source, 'always'), randomBytes(100));
}

/** Runs a task with new data again and again; deletes most of its records at once. Answers the kept ones. */
async function writer(taskId: number, source: string, isOver: () => boolean): Promise<BackupRecord[]> {
  const kept: BackupRecord[] = [];
  while (!isOver()) {
    shuffle(source);
    const record = await runTask(master.client, taskId);
    expect(record.errorMessage).toBe('');
    expect(record.status).toBe('success');
    if (Math.random() < 0.7) await call('DELETE', `/api/backup/records/${record.id}`);
    else kept.push(record);
  }
  shuffle(source);
  kept.push(await runTask(master.client, taskId));
  return kept;
}

/** Marks as often as it is let. Sweeps come by themselves. */
async function cleaner(repositoryId: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    try {
      await call('POST', `/api/repositories/${repositoryId}/prune`, { maxUnusedShare: 0 });
    } catch (error) {
      const isExpected = error instanceof ApiError && ['REPOSITORY_BUSY', 'REPOSITORY_LOCKED'].includes(error.code);
      if (!isExpected) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

it(
  'loses nothing',
  async () => {
    const target = await createLocalTarget(master.client, work.at('store'), { name: 'shared', masterRelay: true });
    const { repository } = await call<{ repository: Repository }>('POST', '/api/repositories', {
      storageTargetId: target.id,
      name: 'shared',
    });
    const sources = agents.map((_agent, index) => work.at(`source-${index}`));
    const tasks = await Promise.all(
      agents.map((agent, index) =>
        createTask(master.client, {
          name: `writer-${index}`,
          nodeId: agent.nodeId,
          storageTargetIds: [target.id],
          sourcePaths: [sources[index] ?? ''],
          backupMode: 'repository',
          repositoryId: repository.id,
          retentionDays: 0,
        }),
      ),
    );
    const endsAt = performance.now() + seconds * 1000;
    const isOver = () => performance.now() > endsAt;
    const [kept] = await Promise.all([
      Promise.all(tasks.map((task, index) => writer(task.id, sources[index] ?? '', isOver))),
      cleaner(repository.id, isOver),
    ]);

    const { items } = await call<{ items: MaintenanceRecord[] }>(
      'GET',
      `/api/maintenance/records?repositoryId=${repository.id}&pageSize=200`,
    );
    const swept = items.filter((item) => item.kind === 'sweep' && item.status === 'success');
    expect(swept.length).toBeGreaterThan(0);
    // Sweeps may find a lock; marks run beside everything.
    expect(items.filter((item) => item.kind === 'prune' && item.status === 'failed')).toEqual([]);

    await waitFor(
      'nothing is maintained any more',
      async () => {
        const now = await call<Repository>('GET', `/api/repositories/${repository.id}`);
        return now.runningMaintenanceId === null && now.condemnedPacks === 0;
      },
      60_000,
    );
    const kit = await fetch(`${master.url}/api/repositories/${repository.id}/recovery-kit`, {
      headers: { authorization: `Bearer ${master.client.token}` },
    });
    const password = /Password: +(\S+)/.exec(await kit.text())?.[1] ?? '';
    await restic.open(path.join(work.at('store'), repository.prefix), password).mustBeClean();
    for (const [index, records] of kept.entries()) {
      const last = records.at(-1);
      for (const record of records) {
        const folder = work.at(`restored-${record.id}`);
        expect(await restoreRecord(master.client, record.id, { targetPath: folder })).toMatchObject({
          status: 'success',
          errorMessage: '',
        });
        if (record === last)
          expect(compareTrees(sources[index] ?? '', path.join(folder, `source-${index}`))).toEqual([]);
        expect(existsSync(path.join(folder, `source-${index}`, 'always'))).toBe(true);
      }
    }
  },
  (seconds + 180) * 1000,
);
