/** Verifications on agents: which get them, their specification, their report, and their end when the agent is lost. */
import type { AgentTaskSpec, AgentVerificationSpec, HeartbeatBody } from '@backupx/contracts/agent-protocol';
import { jobLanes } from '@backupx/contracts/jobs';
import { createFakeClock, type FakeClock } from '@backupx/engine/testing/fake-clock';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestMaster, type TestMaster } from './connect-test-fleet.ts';

const HOUR_MS = 3_600_000;
const jobs = Object.keys(jobLanes);
const capabilities = { sources: ['file'], storages: ['local_disk'], modes: ['full', 'repository'] };

let clock: FakeClock;
let master: TestMaster;
let node: { id: number; token: string };
let recordId: number;

async function agent<T>(method: string, path: string, body?: object) {
  const answer = await fetch(`${master.url}/api/agent${path}`, {
    method,
    headers: { 'x-agent-token': node.token, 'x-agent-protocol': '2', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const json = (await answer.json()) as { code: string; data?: unknown };
  return { status: answer.status, code: json.code, data: json.data as T };
}
const beat = (known: readonly string[], more: HeartbeatBody = {}) =>
  agent('POST', '/heartbeat', {
    instanceId: 'i1',
    bootId: 'b1',
    capabilities: { ...capabilities, jobs: [...known] },
    ...more,
  });
async function poll() {
  const body = { waitMs: 0, free: { work: 1, control: 4 } };
  const { data } = await agent<{ command: { type: string; payload: Record<string, number> } | null }>(
    'POST',
    '/commands/poll',
    body,
  );
  if (!data.command) throw new Error('nothing was handed out');
  return data.command;
}
const start = () => master.call<{ id: number }>('POST', `/backup/records/${recordId}/verify`, { mode: 'deep' });
const get = async (id: number) => (await master.call('GET', `/verify/records/${id}`)).data;

/** A backup on the agent's own disk, which nobody else can read. */
beforeEach(async () => {
  clock = createFakeClock();
  master = await startTestMaster({ clock });
  node = await master.addNode('web-1');
  await beat([...jobs, 'run_verification']);
  const own = await master.addTarget('own disk', { basePath: '/mnt' });
  const task = await master.addTask(node.id, own, {});
  await master.call('POST', `/backup/tasks/${task}/run`, {});
  recordId = (await poll()).payload.recordId ?? 0;
  const spec = (await agent<AgentTaskSpec>('GET', `/tasks/${task}`)).data;
  const storagePath = `${spec.keyPrefix}/a.tar`;
  const artifact = { fileName: 'a.tar', fileSize: 9, checksum: 'd'.repeat(64), storagePath, storageTargetId: own };
  expect(await agent('POST', `/records/${recordId}`, { status: 'success', ...artifact })).toMatchObject({
    status: 200,
  });
  expect((await master.call('GET', `/backup/records/${recordId}`)).data).toMatchObject({ status: 'success' });
});
afterEach(() => master.close());

it('is fetched, reported and ends with what was found', async () => {
  const { data } = await start();
  expect(await poll()).toMatchObject({ type: 'run_verification', payload: { verifyRecordId: data.id } });
  const spec = (await agent<AgentVerificationSpec>('GET', `/verifications/${data.id}/spec`)).data;
  expect(spec.job).toMatchObject({
    mode: 'deep',
    artifact: { target: { viaMaster: false } },
    source: { type: 'file' },
  });
  await agent('POST', `/verifications/${data.id}`, { logAppend: 'looking', logSequence: 1 });
  const checks = [{ subject: 'a.tar', name: 'checksum', ok: false, detail: 'another' }];
  const result = { status: 'failed', checks, itemCount: 1, sourceBytes: 2, storedBytes: 3 };
  await agent('POST', `/verifications/${data.id}`, { status: 'success', result });
  const ended = { status: 'failed', errorCode: 'ARTIFACT_DAMAGED', nodeName: 'web-1', checks };
  expect(await get(data.id)).toMatchObject({ ...ended, logContent: expect.stringContaining('looking') });
});

it('is not given to an agent that does not know the command, nor to one that is away', async () => {
  await beat(jobs);
  expect(await start()).toMatchObject({ status: 400, data: { code: 'NOT_SUPPORTED' } });
  await clock.advance(HOUR_MS);
  expect(await start()).toMatchObject({ status: 400, data: { code: 'NODE_OFFLINE' } });
});

it('is interrupted when its agent is lost, and says nothing about the record then', async () => {
  const { data } = await start();
  await poll();
  await agent('GET', `/verifications/${data.id}/spec`);
  await clock.advance(7 * HOUR_MS);
  await master.fleet.commands.scan();
  expect(await get(data.id)).toMatchObject({ status: 'interrupted' });
  expect((await master.call('GET', `/backup/records/${recordId}`)).data).toMatchObject({ lastVerified: null });
});
