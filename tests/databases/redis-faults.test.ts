/** Dumps of Redis that cannot go well. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { makeRdb, rdbBytes, rdbKey, rdbText } from '@backupx/engine/testing/make-rdb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeRedis } from '../servers/fake-redis.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { DEBUG, digest } from './redis-samples.ts';

const KEYS = 3000;
const work = makeWorkFolder('redis-faults');
const runner = createRunner(work.at('temp'));
let server: RedisServer;

async function start(): Promise<void> {
  server = await startRedis({ folder: work.at('server'), args: [...DEBUG, '--repl-diskless-sync', 'yes'] });
  // A dump that does not get small.
  server.feed(
    Array.from({ length: KEYS }, (_, index) => `SET ${index} ${randomBytes(1000).toString('hex')}`).join('\n'),
  );
}
beforeAll(start);
afterAll(async () => {
  await kill();
  await runner.close();
  work.remove();
});

/** Answers with a pause after each key, so that the whole takes a minute, or without. */
function source(pauseMicroseconds: number) {
  server.cli('CONFIG', 'SET', 'rdb-key-save-delay', String(pauseMicroseconds));
  return { type: 'redis', config: { dbHost: '127.0.0.1', dbPort: server.port } };
}
const isSaving = () => server.cli('INFO', 'persistence').includes('rdb_bgsave_in_progress:1');

/** What it has split off holds connections, too. */
async function kill(): Promise<void> {
  const { pid } = server.process;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  await server.stop('SIGKILL');
  for (const child of children) {
    try {
      process.kill(Number(child), 'SIGKILL');
    } catch {
      // It has seen that its server is gone.
    }
  }
}

for (const mode of backupModes) {
  damagedBackups(mode, {
    ...{ name: 'a backup of Redis', work, runner, source: () => source(0) },
    restore: { options: { replaceExisting: true } },
    look: () => digest(server),
  });
  dumpFaults(mode, {
    ...{ name: 'a dump of Redis', work, runner, isStreamed: true },
    slow: () => source(20_000),
    large: () => source(0),
    quick: () => source(0),
    begun: () => until('a dump', isSaving),
    hasEnded: () => !isSaving(),
    server: { kill, start },
  });
}

describe('a dump that no server can load as it is', () => {
  const set = (...parts: (number | Buffer)[]) => rdbKey(2, rdbBytes(...parts), 's');
  it.each([
    ['has bytes in it that are no value', rdbKey(20, rdbText('packed')), { engine: false, restore: false }],
    ['has a key without a value', rdbBytes(set(0), rdbKey(0, rdbText('v'))), { restore: true, rows: false }],
  ])('because it %s is not proven by its checksum', async (_, keys, expected) => {
    const fake = await startFakeRedis(makeRdb(rdbBytes(0xfe, 0, keys), 'REDIS0010'));
    try {
      const jobs = await createSourceJobs(runner, work, 'archive');
      const settings = { type: 'redis', config: { dbHost: '127.0.0.1', dbPort: fake.port } };
      const result = await jobs.backup(settings);
      const verify = async (mode: 'quick' | 'deep') => {
        const job = { kind: 'verify_artifact', source: settings, artifact: jobs.artifactOf(result) } as const;
        return await runner.run({ ...job, mode });
      };
      expect((await verify('quick')).status).toBe('success');
      const { status, checks } = await verify('deep');
      expect(status).toBe('failed');
      expect(Object.fromEntries(checks.map(({ name, ok }) => [name, ok]))).toMatchObject(expected);
    } finally {
      fake.close();
    }
  });
});

describe('a dump of an older server', () => {
  it('stops the restore into a newer one, unless that is accepted', async () => {
    const keys = rdbBytes(0xfe, 0, rdbKey(0, rdbText('v'), 'old'));
    const fake = await startFakeRedis(makeRdb(keys, 'REDIS0010', '6.2.1'));
    try {
      const jobs = await createSourceJobs(runner, work, 'archive');
      const result = await jobs.backup({ type: 'redis', config: { dbHost: '127.0.0.1', dbPort: fake.port } });
      const before = digest(server);
      const restore = (options: object) =>
        jobs.restore(source(0), result, { options: { rename: ['0=7'], ...options } });
      await expect(restore({})).rejects.toMatchObject({
        code: 'DATABASE_SERVER_NEWER',
        params: { saved: 'Redis 6.2.1', target: expect.stringMatching(/^\w+ \d/) },
      });
      expect(digest(server)).toBe(before);
      const question = { path: '', search: 'inventory.json', offset: 0, limit: 10 };
      const artifact = jobs.artifactOf(result);
      const page = await runner.run({ kind: 'browse_artifact', artifact, ...question, source: source(0) });
      expect(page.server).toBe('Redis 6.2.1');
      const target = { source: source(0), options: {}, entries: page.entries.map(({ path }) => path) };
      const found = await runner.run({ kind: 'inspect_target', ...target, savedServer: page.server ?? '' });
      expect(found.otherVersion).toMatchObject({ saved: 'Redis 6.2.1', difference: 'newer' });
      await restore({ acceptOtherVersion: true });
      expect(server.cli('-n', '7', 'GET', 'old')).toBe('v');
      server.cli('-n', '7', 'FLUSHDB');
    } finally {
      fake.close();
    }
  });
});
