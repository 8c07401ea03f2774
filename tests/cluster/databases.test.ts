/** Every kind of database through the whole product, on the master and on an agent, as archive and into a repository. */
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { Task } from '@backupx/contracts/api/tasks';
import type { InspectSourceResult } from '@backupx/contracts/jobs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Relay, startRelay } from '../servers/meddling-relay.ts';
import { type Agent, startAgent, waitForOnline } from '../support/agent.ts';
import {
  createLocalTarget,
  type Master,
  restoreRecord,
  runTask,
  startMaster,
  waitForRecord,
} from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  type DatabaseKind,
  type Databases,
  type KindName,
  kindNames,
  startDatabases,
  whyNot,
} from './database-kinds.ts';

const work = makeWorkFolder('databases');
let databases: Databases;
let master: Master;
let agent: Agent;
let targetId: number;

/** So many dumps stand in the middle at once. */
const limits = ['BACKUPX_AGENT_MAX_CONCURRENT', 'BACKUPX_BACKUP_MAX_CONCURRENT'];

beforeAll(async () => {
  for (const name of limits) process.env[name] = String(kindNames.length);
  mkdirSync(work.at('store'));
  databases = await startDatabases(work);
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'db-01');
  targetId = (await createLocalTarget(master.client, work.at('store'), { masterRelay: true })).id;
}, 180_000);
afterAll(async () => {
  for (const name of limits) delete process.env[name];
  await agent?.stop();
  await master?.stop();
  await databases?.stop();
  work.remove();
});

const places = ['agent', 'master'] as const;
const modes = ['full', 'repository'] as const;
const rounds = places.flatMap((place) => modes.map((mode) => ({ place, mode })));
type Round = (typeof rounds)[number];
const nodeAt = (place: Round['place']) => (place === 'agent' ? agent.nodeId : 0);

/** A task at this place, in this mode. */
function addTask({ place, mode }: Round, said: ReturnType<DatabaseKind['task']>, name = 'all'): Promise<Task> {
  const how = { nodeId: nodeAt(place), storageTargetIds: [targetId], backupMode: mode };
  const body = { name: `${said.type} ${place} ${mode} ${name}`, ...how, ...said };
  return master.client.call('POST', '/api/backup/tasks', body);
}

async function backUp(kind: DatabaseKind, { place, mode }: Round): Promise<BackupRecord> {
  const task = await addTask({ place, mode }, kind.task({ mode }));
  const record = await runTask(master.client, task.id);
  expect([record.errorMessage, record.status, record.nodeId]).toEqual(['', 'success', task.nodeId]);
  expect(record.snapshotId !== '').toBe(mode === 'repository');
  return record;
}

/** What is left of it, which may be nothing. */
const describeSafely = async (kind: DatabaseKind): Promise<string> => {
  try {
    return await kind.describe();
  } catch {
    return '';
  }
};

describe.each(kindNames)('%s', (name) => {
  const reason = whyNot(name);
  const kindOf = () => databases.kinds[name] as DatabaseKind;

  it.skipIf(reason !== '')('is asked by the connection test, on an agent', async () => {
    const { type, extraConfig, ...said } = kindOf().task({ mode: 'full' });
    const body = { type, nodeId: agent.nodeId, config: { ...said, ...extraConfig } };
    const found = await master.client.call<InspectSourceResult>('POST', '/api/sources/inspect', body);
    expect(found.databases.map((one) => one.name).sort()).toEqual([...kindOf().found].sort());
  });

  it.skipIf(reason !== '').each(rounds)('comes back whole: $place, $mode', async (round) => {
    const kind = kindOf();
    const isFirst = round === rounds[0];
    const isSavedFirst = isFirst && kind.isSavedFirst === true;
    const before = await kind.describe();
    const record = await backUp(kind, round);
    await kind.damage();
    if (isFirst) expect(await describeSafely(kind)).not.toBe(before);
    await kind.server?.kill();
    const restore = await restoreRecord(master.client, record.id, { ...kind.restore, safetyBackup: isSavedFirst });
    expect([restore.errorMessage, restore.status, restore.nodeId]).toEqual(['', 'success', record.nodeId]);
    await kind.server?.start();
    expect(await kind.describe()).toBe(before);
    if (isSavedFirst) {
      const saved = await waitForRecord(master.client, restore.safetyRecordId);
      expect([saved.trigger, saved.status, saved.nodeId]).toEqual(['safety', 'success', record.nodeId]);
    } else expect(restore.safetyRecordId).toBe(0);
  });
});

/** Where in a dump its server stops answering. */
const stops: Partial<Record<KindName, { readonly word: string; readonly stallAfter: number }>> = {
  postgresql: { word: 'COPY sales.orders', stallAfter: 10_000 },
  'postgresql-physical': { word: 'BASE_BACKUP', stallAfter: 1_000_000 },
  mysql: { word: 'SQL_NO_CACHE', stallAfter: 50 },
  'mysql-physical': { word: 'BACKUP STAGE BLOCK_COMMIT', stallAfter: 0 },
  mongodb: { word: 'find\0\x07\0\0\0orders\0', stallAfter: 1000 },
  redis: { word: '$4\r\nSYNC\r\n', stallAfter: 10_000 },
};

/** Begins a dump whose server falls silent in the middle. */
async function startHeld(name: KindName, round: Round): Promise<{ task: Task; recordId: number; relay: Relay | null }> {
  const kind = databases.kinds[name] as DatabaseKind;
  const stop = stops[name];
  const relay = stop ? await startRelay(kind.port, stop.word, stop) : null;
  const task = await addTask(round, kind.task({ mode: round.mode, port: relay?.port }), 'killed');
  const record = await master.client.call<BackupRecord>('POST', `/api/backup/tasks/${task.id}/run`);
  let isHeld = relay === null;
  void relay?.said.then(() => {
    isHeld = true;
  });
  await waitFor(`${name} stands still`, async () => isHeld, 60_000);
  return { task, recordId: record.id, relay };
}

const tempFolders = () => [work.at('agent', 'temp'), path.join(master.dataFolder, 'tmp')];
/** Programs that a dump has started: they read their login in a folder for temporary files, or stand in for HANA's. */
const programs = () =>
  findTools(work.path).filter(({ commandLine }) =>
    [...tempFolders(), databases.hana.folder].some((folder) => commandLine.includes(`${folder}/`)),
  );
/** Archives and snapshots. */
const stored = () =>
  readdirSync(work.at('store'), { recursive: true, encoding: 'utf8' })
    .filter((one) => /\.tar\.zst$|\/snapshots\/./.test(one))
    .sort();
/** What a run keeps for its programs. */
const secrets = () =>
  tempFolders().flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((one) => one.includes('secrets-')),
  );

async function killAndRestart(place: Round['place'], whenDead: () => Promise<unknown>): Promise<void> {
  if (place === 'agent') {
    await agent.stop('SIGKILL');
    await whenDead();
    agent.restart();
  } else {
    await master.stop('SIGKILL');
    await whenDead();
    await master.restart();
  }
  await waitForOnline(master.client, agent.nodeId);
}

const killed: Round[] = [
  { place: 'agent', mode: 'repository' },
  { place: 'master', mode: 'full' },
];

describe.each(killed)('killed in the middle of every dump: $place, $mode', (round) => {
  it('leaves no program, no run and no file behind, and the next runs are whole', async () => {
    const before = stored();
    const names = kindNames.filter((name) => name in stops && whyNot(name) === '');
    databases.hana.set({ failures: { HDB: 'slow', SYSTEMDB: 'slow' } });
    const held = await Promise.all(names.map((name) => startHeld(name, round)));
    // The last one: it is slow for a minute only.
    held.push(await startHeld('saphana', round));
    await waitFor('HANA at work', async () => programs().some((one) => one.commandLine.includes('BACKUP DATA')));
    const running = programs().map(({ name }) => name);
    expect(running).toEqual(
      expect.arrayContaining(['pg_dump', 'pg_basebackup', 'mariadb-dump', 'mariadb-backup', 'node']),
    );
    // What pg_dump has split off to read several tables at once goes with the next start.
    const isGone = async () => programs().every(({ name }) => name === 'pg_dump' && round.mode === 'repository');
    await killAndRestart(round.place, () => waitFor('the end of what it started', isGone));
    await waitFor('the end of all programs', async () => programs().length === 0);
    databases.hana.set({ failures: {} });
    for (const { recordId } of held) {
      expect(await waitForRecord(master.client, recordId)).toMatchObject({ status: 'interrupted' });
    }
    expect(stored()).toEqual(before);
    const again = await Promise.all(held.map(({ task }) => runTask(master.client, task.id)));
    for (const { errorMessage, status } of again) expect([errorMessage, status]).toEqual(['', 'success']);
    for (const { relay } of held) relay?.close();
    expect(stored().length).toBe(before.length + held.length);
    await waitFor('nothing is left of them', async () => secrets().length === 0 && programs().length === 0);
  });
});
