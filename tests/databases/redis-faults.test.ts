/** Dumps of Redis that cannot go well. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes } from '../support/source-jobs.ts';
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
    ...{ name: 'a dump of Redis', work, runner },
    slow: () => source(20_000),
    large: () => source(0),
    quick: () => source(0),
    begun: () => until('a dump', isSaving),
    hasEnded: () => !isSaving(),
    server: { kill, start },
  });
}
