/**
 * Two agents write into one repository, the same data coming and going, while records are deleted and the master cleans
 * up without pause. Nothing that a snapshot needs may be lost. `CLEAN_UP_SECONDS` makes it longer.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** Contents by file name. */
type Files = ReadonlyMap<string, Buffer>;

/** A record, and what was in its source. */
interface Kept {
  readonly record: BackupRecord;
  readonly files: Files;
}

/** Puts a random half of the pieces into a source; answers what is in it now. */
function shuffle(source: string): Files {
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source);
  const files = new Map([['always', randomBytes(100)]]);
  for (const [index, piece] of pieces.entries()) if (Math.random() < 0.5) files.set(`piece-${index}`, piece);
  for (const [name, bytes] of files) writeFileSync(path.join(source, name), bytes);
  return files;
}

/** Runs a task with new data again and again; deletes most of its records at once. Answers the kept ones. */
async function writer(taskId: number, source: string, isOver: () => boolean): Promise<Kept[]> {
  const kept: Kept[] = [];
  const run = async () => {
    const files = shuffle(source);
    const record = await runTask(master.client, taskId);
    expect(record).toMatchObject({ errorMessage: '', status: 'success' });
    return { record, files };
  };
  while (!isOver()) {
    const made = await run();
    if (Math.random() < 0.7) await call('DELETE', `/api/backup/records/${made.record.id}`);
    else kept.push(made);
  }
  kept.push(await run());
  return kept;
}

/** Names of the files in a folder that are not those expected, or have other contents. */
function differences(folder: string, expected: Files): string[] {
  const found = new Set(readdirSync(folder));
  const wrong = [...found].filter((name) => !expected.has(name));
  for (const [name, bytes] of expected) {
    if (!found.has(name) || !readFileSync(path.join(folder, name)).equals(bytes)) wrong.push(name);
  }
  return wrong;
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
      120_000,
    );
    const kit = await fetch(`${master.url}/api/repositories/${repository.id}/recovery-kit`, {
      headers: { authorization: `Bearer ${master.client.token}` },
    });
    const password = /Password: +(\S+)/.exec(await kit.text())?.[1] ?? '';
    await restic.open(path.join(work.at('store'), repository.prefix), password).mustBeClean();
    for (const [index, records] of kept.entries()) {
      const last = records.at(-1)?.record;
      for (const { record, files } of records) {
        const folder = work.at(`restored-${record.id}`);
        expect(await restoreRecord(master.client, record.id, { targetPath: folder })).toMatchObject({
          status: 'success',
          errorMessage: '',
        });
        const restored = path.join(folder, `source-${index}`);
        expect(differences(restored, files)).toEqual([]);
        if (record === last) expect(compareTrees(sources[index] ?? '', restored)).toEqual([]);
        rmSync(folder, { recursive: true });
      }
    }
  },
  (seconds + 360) * 1000,
);
