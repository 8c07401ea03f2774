/** MongoDB backups that cannot go well: each must say why, within seconds, and leave nothing behind. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FerretdbServer, startFerretdb } from '../servers/ferretdb.ts';
import { type Relay, startRelay } from '../servers/meddling-relay.ts';
import { makeCertificates } from '../servers/redis.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { cancelled, storedBelow, until } from '../support/faulty-runs.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { databaseNames, describeDatabase, makeToolFolder, whyNoMongodb } from './mongodb-samples.ts';

const whyNot = whyNoMongodb();
const suite = (name: string, body: () => void) =>
  whyNot === '' ? describe(name, body) : describe.skip(`${name} (${whyNot})`, body);

const work = makeWorkFolder('mongodb-faults');
const runner = createRunner(work.at('temp'));
const login = { user: 'o d:d', password: ' a:\\"\' #ü=;%@/?&{}[]|^$' };
/** In the arguments of a program at work, not of one that is asked for its version. */
const DUMPING = `--config=${work.path}`;
let server: FerretdbServer;
let toolFolder: string;
let jobs: SourceJobs;

beforeAll(async () => {
  if (whyNot !== '') return;
  toolFolder = makeToolFolder(work.at('bin'));
  server = await startFerretdb({ folder: work.at('server'), login });
  const client = new MongoClient(server.uri);
  // It does not get small.
  const text = () => randomBytes(1000).toString('hex');
  for (const name of ['a', 'b']) {
    const documents = Array.from({ length: name === 'a' ? 6000 : 3 }, (_, index) => ({ index, text: text() }));
    await client.db(name).collection('t').insertMany(documents);
  }
  await client.close();
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  await server?.stop();
  work.remove();
});

/** Nothing with a secret is left. */
const leftInTemp = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));
afterEach(() => {
  if (whyNot === '') expect(leftInTemp()).toEqual([]);
});
const stored = () => storedBelow(jobs.store);

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mongodb',
  config: {
    ...{ dbHost: '127.0.0.1', dbPort: server.port, dbUser: login.user, dbPassword: login.password },
    ...{ program: 'tools', toolFolder, ...more },
  },
});

suite('before anything is read', () => {
  it.each([
    ['a wrong password', { dbPassword: 'wrong' }, 'DATABASE_AUTH'],
    ['no login', { dbUser: '', dbPassword: '' }, 'DATABASE_AUTH'],
    ['a closed port', { dbPort: 1, uri: '' }, 'DATABASE_UNREACHABLE'],
    ['a database that is missing', { databases: ['gone'] }, 'DATABASE_NOT_FOUND'],
    ['a server without TLS', { tlsMode: 'require' }, 'DATABASE_TLS'],
    ['an operations log where there is no replica set', { oplog: true }, 'DATABASE_OPLOG'],
  ])('%s', async (_, config, code) => {
    const before = stored();
    const quick = { uri: '', ...config };
    await expect(jobs.backup(source(quick))).rejects.toMatchObject({ code });
    expect(stored()).toEqual(before);
  });

  it('a program that is not there', async (context) => {
    const places = ['/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'];
    if (places.some((place) => readdirSafely(place).includes('mongodump'))) context.skip('mongodump is installed here');
    const empty = work.at('empty');
    mkdirSync(empty, { recursive: true });
    await expect(jobs.backup(source({ toolFolder: empty }))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_MISSING',
      params: { tool: 'mongodump', package: expect.stringContaining('mongodb-database-tools') },
    });
    // By itself it goes on without.
    expect(await jobs.backup(source({ toolFolder: empty, program: 'auto', databases: ['b'] }))).toMatchObject({
      status: 'success',
    });
  });
});

function readdirSafely(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

suite('a login', () => {
  it('with any password works, and is shown to nobody, in a restore neither', async () => {
    const { folder, called, text } = recordPrograms(work.at('recorded'), ['mongodump', 'mongorestore'], toolFolder);
    const recorded = source({ toolFolder: folder, databases: ['b'] });
    const result = await jobs.backup(recorded);
    expect(result).toMatchObject({ status: 'success', problems: [] });
    const options = { replaceExisting: true };
    expect(await jobs.restore(recorded, result, { options })).toMatchObject({ status: 'success', problems: [] });
    expect(called()).toEqual(['mongodump', 'mongorestore']);
    const seen = text();
    for (const part of ['a:\\"', encodeURIComponent(login.password.slice(1, 6)), 'mongodb://']) {
      expect(seen).not.toContain(part);
    }
  });

  it('may come as a connection string', async () => {
    const user = encodeURIComponent(login.user);
    const uri = `mongodb://${user}@127.0.0.1:${server.port}/?authSource=admin&directConnection=true`;
    const config = { uri, dbHost: 'nowhere.invalid', dbUser: '', databases: ['b'] };
    for (const program of ['tools', 'native']) {
      expect(await jobs.backup(source({ ...config, program })), program).toMatchObject({ status: 'success' });
    }
  });

  it('is tested with the very program, which tells what there is', async () => {
    const told = await runner.run({ kind: 'inspect_source', source: source({ databases: ['b', 'gone'] }) });
    expect(told).toMatchObject({
      server: expect.stringMatching(/^MongoDB 7\./),
      tool: expect.stringMatching(/^mongodump 100\.9\.5 \(/),
      databases: [
        { name: 'a', sizeBytes: expect.any(Number) },
        { name: 'b', sizeBytes: expect.any(Number) },
      ],
      warnings: ['There is no database gone.'],
      readOnlyUserSql: expect.stringContaining('{ role: "read", db: "b" }'),
    });
  });
});

suite('one of three databases missing', () => {
  it('leaves the others saved, and a warning', async () => {
    const result = await jobs.backup(source({ databases: ['a', 'gone', 'b'] }));
    expect(result).toMatchObject({ status: 'warning', problemCount: 1 });
    expect(result.problems[0]).toMatchObject({ path: '/mongodb/gone', code: 'unreadable' });
    expect(result.itemCount).toBe(8);
  });

  it('is left out by a pattern, without a word', async () => {
    expect(await jobs.backup(source({ excludeDatabases: ['?'], databases: [] })).catch(({ code }) => code)).toBe(
      'DATABASE_PERMISSION',
    );
    expect(await jobs.backup(source({ excludeDatabases: ['a*'] }))).toMatchObject({ status: 'success', itemCount: 5 });
  });
});

suite('the output of the program', () => {
  it('ends early, and it says nothing', async () => {
    const folder = work.at('fake');
    mkdirSync(folder, { recursive: true });
    const fake = path.join(folder, 'mongodump');
    const real = path.join(toolFolder, 'mongodump');
    writeFileSync(fake, `#!/bin/sh\n${real} "$@" | head -c 300000\nexit 0\n`);
    chmodSync(fake, 0o755);
    const before = stored();
    await expect(jobs.backup(source({ toolFolder: folder }))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
    });
    expect(stored()).toEqual(before);
  });
});

const running = () => findTools(DUMPING).filter(({ name }) => name.startsWith('mongo'));
const restart = async () => {
  server = await startFerretdb({ folder: work.at('server'), login, port: server.port });
};
let relay: Relay;
/** Of the rest of the documents, behind the first few, a part is sent, and no more. */
async function besideRelay(act: () => Promise<void>): Promise<void> {
  relay = await startRelay(server.port, 'getMore', { stallAfter: 1_000_000 });
  try {
    await act();
  } finally {
    relay.close();
  }
}
/** What is in a database now. */
async function look(database: string) {
  const client = new MongoClient(server.uri);
  try {
    return [await databaseNames(client), await describeDatabase(client, database)];
  } finally {
    await client.close();
  }
}

suite('what must not pass for a success', () => {
  for (const mode of backupModes) {
    damagedBackups(mode, {
      ...{ name: 'a backup of MongoDB', work, runner, source: () => source({ databases: ['b'] }) },
      restore: { options: { replaceExisting: true } },
      // No mongod is here that could be started for it.
      proofOptions: () => ({
        dbHost: '127.0.0.1',
        dbPort: server.port,
        dbUser: login.user,
        dbPassword: login.password,
      }),
      look: () => look('b'),
    });
    for (const program of ['tools', 'native']) {
      dumpFaults(mode, {
        ...{ name: `a dump of MongoDB by ${program}`, work, runner, leavesSecrets: true, isStreamed: true },
        slow: () => source({ program, dbPort: relay.port }),
        large: () => source({ program }),
        quick: () => source({ program, databases: ['b'] }),
        beside: besideRelay,
        begun: () => relay.said,
        hasEnded: () => running().length === 0,
        ...(program === 'tools' ? { program: { name: 'mongodump', word: () => DUMPING } } : {}),
        server: { kill: () => server.stop('SIGKILL').then(relay.close), start: restart },
      });
    }
  }
});

suite('a restore', () => {
  it.each(['tools', 'native'])(
    'by %s that is cancelled leaves nothing, and what is there as it is',
    async (program) => {
      const client = new MongoClient(server.uri);
      const look = async () => {
        const names = (await client.db('a').listCollections().toArray()).map(({ name }) => name);
        return [names.sort(), await client.db('a').collection('t').countDocuments()] as const;
      };
      try {
        const result = await jobs.backup(source({ databases: ['a'] }));
        const before = await look();
        const job = jobs.restoreJob(source({ program }), result, { options: { replaceExisting: true } });
        const loading = async () => {
          for (let names: readonly string[] = []; !names.some((name) => name.startsWith('backupx_new_')); )
            [names] = await look();
        };
        const error = await cancelled(job, { tempDir: work.at('temp'), when: loading });
        expect(error).toMatchObject({ code: 'CANCELLED' });
        await until('the end of its programs', () => running().length === 0);
        expect(await look()).toEqual(before);
      } finally {
        await client.close();
      }
    },
  );
});

suite('TLS', () => {
  it('is checked as far as was asked, by all who connect', async () => {
    const files = makeCertificates(work.at('tls'));
    const read = (file: string) => readFileSync(file, 'utf8');
    const open = { folder: work.at('tls-server'), tls: files };
    const secure = await startFerretdb(open);
    try {
      const inspect = (config: Record<string, unknown>) => {
        const base = { dbHost: 'localhost', dbPort: secure.port, toolFolder, program: 'tools', tlsMode: 'verify-full' };
        const settings = { type: 'mongodb', config: { ...base, tlsCa: read(files.ca), ...config } };
        return runner.run({ kind: 'inspect_source', source: settings });
      };
      const refused = (reason: string) => ({
        code: 'DATABASE_TLS',
        params: { reason: expect.stringContaining(reason) },
      });
      await expect(inspect({})).resolves.toMatchObject({ tool: expect.stringContaining('mongodump') });
      await expect(inspect({ tlsMode: 'require', tlsCa: '' })).resolves.toBeDefined();
      await expect(inspect({ dbHost: '127.0.0.1' })).rejects.toMatchObject(refused('the name in the certificate'));
      await expect(inspect({ tlsCa: read(files.otherCa) })).rejects.toMatchObject(refused('an authority'));
      await expect(inspect({ tlsCa: '' })).rejects.toMatchObject(refused('an authority'));
      await expect(inspect({ tlsMode: 'disable', tlsCa: '' })).rejects.toMatchObject({ code: expect.any(String) });
    } finally {
      await secure.stop();
    }
  });

  it('tells a certificate signed by itself, and asks for one of the client where the server does', async () => {
    const files = makeCertificates(work.at('tls-2'));
    const read = (file: string) => readFileSync(file, 'utf8');
    const inspect = (port: number, config: Record<string, unknown>) => {
      const base = { dbHost: 'localhost', dbPort: port, toolFolder, program: 'tools', tlsMode: 'verify-full' };
      return runner.run({ kind: 'inspect_source', source: { type: 'mongodb', config: { ...base, ...config } } });
    };
    const own = { cert: files.otherCa, key: files.otherCa.replace(/pem$/, 'key'), ca: files.otherCa };
    const alone = await startFerretdb({ folder: work.at('tls-own'), tls: own, skipsName: true });
    const strict = await startFerretdb({ folder: work.at('tls-client'), tls: { ...files, clientCa: files.ca } });
    try {
      await expect(inspect(alone.port, {})).rejects.toMatchObject({
        params: { reason: expect.stringContaining('by itself') },
      });
      const client = { tlsCa: read(files.ca), tlsCertificate: read(files.cert), tlsKey: read(files.key) };
      await expect(inspect(strict.port, client)).resolves.toBeDefined();
      await expect(inspect(strict.port, { tlsCa: client.tlsCa })).rejects.toMatchObject({ code: 'DATABASE_TLS' });
    } finally {
      await alone.stop();
      await strict.stop();
    }
  });
});
