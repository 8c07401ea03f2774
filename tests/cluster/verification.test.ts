/** Verification through the whole product: archives and snapshots of an agent, damage in the storage, a killed agent. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import type { VerifyRecord } from '@backupx/contracts/api/verifications';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, startAgent, waitForOnline } from '../support/agent.ts';
import { flipBit } from '../support/damage.ts';
import { createLocalTarget, createTask, type Master, runTask, startMaster } from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('verification');
const source = work.at('www');
const store = work.at('store');
let master: Master;
let agent: Agent;
const records: Record<'full' | 'repository', number> = { full: 0, repository: 0 };

const start = (recordId: number, mode: 'quick' | 'deep') =>
  master.client.call<VerifyRecord>('POST', `/api/backup/records/${recordId}/verify`, { mode });
const get = (id: number) => master.client.call<VerifyRecord>('GET', `/api/verify/records/${id}`);
const ended = (id: number) =>
  waitFor(`verification ${id} ends`, async () => {
    const one = await get(id);
    return one.status === 'running' ? null : one;
  });
const verify = async (recordId: number, mode: 'quick' | 'deep') => ended((await start(recordId, mode)).id);

/** Files below a folder, largest first, as paths relative to it. */
function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const size = (name: string) => statSync(path.join(folder, name)).size;
  return names.filter((name) => statSync(path.join(folder, name)).isFile()).sort((a, b) => size(b) - size(a));
}

function scratchFolders(): string[] {
  const names = readdirSync(work.at('agent', 'temp'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => path.basename(name).startsWith('verify-'));
}

beforeAll(async () => {
  mkdirSync(source, { recursive: true });
  for (let file = 0; file < 30; file += 1) writeFileSync(path.join(source, `f${file}`), `text of ${file}`);
  writeFileSync(path.join(source, 'large'), randomBytes(3_000_000));
  master = await startMaster(work.path);
  agent = await startAgent(master.client, work.at('agent'), 'web-01');
  const target = await createLocalTarget(master.client, store);
  for (const backupMode of ['full', 'repository'] as const) {
    const input = { name: backupMode, nodeId: agent.nodeId, sourcePaths: [source], storageTargetIds: [target.id] };
    const task = await createTask(master.client, { ...input, backupMode });
    const record = await runTask(master.client, task.id);
    expect([record.errorMessage, record.status]).toEqual(['', 'success']);
    records[backupMode] = record.id;
  }
}, 120_000);
afterAll(async () => {
  await agent?.stop();
  await master?.stop();
  work.remove();
});

describe.each(['full', 'repository'] as const)('verification on an agent, mode %s', (backupMode) => {
  it('restores every file of a small backup and leaves nothing behind', async () => {
    const done = await verify(records[backupMode], 'deep');
    expect([done.errorMessage, done.status, done.nodeId]).toEqual(['', 'success', agent.nodeId]);
    expect(done.checks.at(-1)).toMatchObject({ name: 'restore', ok: true, subject: 'all files' });
    expect(done.logContent).toContain('Ended: success.');
    const record = await master.client.call<BackupRecord>('GET', `/api/backup/records/${records[backupMode]}`);
    expect(record.lastVerified).toMatchObject({ status: 'success', mode: 'deep' });
    expect(scratchFolders()).toEqual([]);
  });
});

describe('a killed agent', () => {
  it('ends its verification as interrupted and clears its scratch folder at the next start', async () => {
    const { id } = await start(records.full, 'deep');
    await agent.stop('SIGKILL');
    agent.restart();
    await waitForOnline(master.client, agent.nodeId);
    // It may have been done, not begun, or in the middle of it.
    expect(['success', 'interrupted']).toContain((await ended(id)).status);
    expect((await verify(records.full, 'quick')).status).toBe('success');
    expect(scratchFolders()).toEqual([]);
  });
});

describe('damage in the storage', () => {
  it('of an archive is found, named and counted against the task', async () => {
    const file = filesIn(store).find((name) => name.includes(`/r${records.full}/`)) ?? '';
    flipBit(store, file, 0.5);
    const done = await verify(records.full, 'quick');
    expect([done.status, done.errorCode]).toEqual(['failed', 'ARTIFACT_DAMAGED']);
    expect(done.checks.find((check) => check.name === 'checksum')).toMatchObject({ ok: false });
  });

  it('of a pack is found by a deep verification, with the file that is lost', async () => {
    const pack = filesIn(store).find((name) => name.includes('/data/')) ?? '';
    flipBit(store, pack, 0.5);
    const done = await verify(records.repository, 'deep');
    expect([done.status, done.errorCode]).toEqual(['failed', 'ARTIFACT_DAMAGED']);
    expect(done.checks[0]).toMatchObject({ ok: false, subject: expect.stringContaining(path.basename(pack)) });
    expect(done.checks[0]?.detail).toContain('large');
    const overview = await master.client.call<{ verification: object }>('GET', '/api/dashboard/overview');
    expect(overview.verification).toMatchObject({ failed: 2, never: 0, lastFailed: { id: done.id } });
  });
});
