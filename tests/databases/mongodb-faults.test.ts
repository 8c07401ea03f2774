/** MongoDB backups that cannot go well: each must say why, within seconds, and leave nothing behind. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FerretdbServer, startFerretdb } from '../servers/ferretdb.ts';
import { makeCertificates } from '../servers/redis.ts';
import { createRunner, startJob } from '../support/repository.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools, killTool, watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { makeToolFolder, whyNoMongodb } from './mongodb-samples.ts';

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
  // Takes mongodump a second or two.
  const text = 'x'.repeat(2000);
  for (const name of ['a', 'b']) {
    const documents = Array.from({ length: name === 'a' ? 6000 : 3 }, (_, index) => ({ index, text }));
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
const stored = () => readdirSync(jobs.store, { recursive: true }).filter((name) => String(name).includes('backup'));

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
  it('with any password works, and is shown to nobody', async () => {
    const watch = watchTools(work.path);
    const result = await jobs.backup(source());
    // The server was told its password in the clear.
    const seen = watch.stop().filter(({ name }) => !name.startsWith('ferretdb'));
    expect(result).toMatchObject({ status: 'success', problems: [] });
    expect(seen.some(({ commandLine }) => commandLine.includes('mongodump'))).toBe(true);
    for (const { commandLine, environment } of seen) {
      for (const part of ['a:\\"', encodeURIComponent(login.password.slice(1, 6)), 'mongodb://']) {
        expect(commandLine).not.toContain(part);
        expect(environment).not.toContain(part);
      }
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

suite('in the middle of a dump', () => {
  it('the program is killed', async () => {
    const before = stored();
    const [result] = await Promise.allSettled([jobs.backup(source()), killTool('mongodump', DUMPING)]);
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_TOOL_FAILED' } });
    expect(String((result as PromiseRejectedResult).reason.message)).toContain('SIGKILL');
    expect(stored()).toEqual(before);
  });

  it('the output of the program ends early, and it says nothing', async () => {
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

  it('the disk of the storage is full', async () => {
    const full = work.at('full');
    mkdirSync(full);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', full]);
    try {
      const job = jobs.backupJob(source());
      const target = { ...job.targets[0], config: { basePath: full, masterRelay: false } } as (typeof job.targets)[0];
      await expect(runner.run({ ...job, compression: 'none', targets: [target] })).rejects.toMatchObject({
        code: expect.stringMatching(/^STORAGE_/),
      });
      expect(readdirSync(full, { recursive: true }).filter((name) => String(name).includes('backup'))).toEqual([]);
    } finally {
      execFileSync('umount', [full]);
    }
  });

  it('our own process is killed: no program lives on, and the next one removes the login', async () => {
    const tempDir = work.at('killed');
    mkdirSync(tempDir);
    const left = () => readdirSync(tempDir, { recursive: true }).filter((name) => String(name).endsWith('.yaml'));
    const child = startJob(jobs.backupJob(source()), { tempDir });
    const tool = await appeared('mongodump');
    expect(left()).toHaveLength(1);
    await child.kill();
    while (isAlive(tool)) await new Promise((resolve) => setTimeout(resolve, 10));
    const next = startJob(jobs.backupJob(source({ databases: ['b'] })), { tempDir });
    expect(await next.result).toMatchObject({ status: 'success' });
    expect(left()).toEqual([]);
  });

  it.each(['tools', 'native'])('the server is killed, while dumped by %s', async (program) => {
    const before = stored();
    const running = jobs.backup(source({ program }));
    const killed = (program === 'tools' ? appeared('mongodump') : dumping()).then(() => server.stop('SIGKILL'));
    const [result] = await Promise.allSettled([running, killed]);
    server = await startFerretdb({ folder: work.at('server'), login, port: server.port });
    expect(result).toMatchObject({ status: 'rejected', reason: { code: expect.stringMatching(/^DATABASE_/) } });
    expect(stored()).toEqual(before);
  });
});

async function appeared(name: string): Promise<number> {
  const deadlineMs = Date.now() + 20_000;
  while (Date.now() < deadlineMs) {
    const tool = findTools(DUMPING).find((one) => one.name === name);
    if (tool) return tool.pid;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`no ${name} was running`);
}

/** The file with the login is there from the first connection to the last. */
async function dumping(): Promise<void> {
  while (leftInTemp().length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

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
