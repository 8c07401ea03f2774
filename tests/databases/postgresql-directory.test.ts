/** Dumps in pg_dump's directory format: several tables at once, each a file of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { VerifyArtifactResult } from '@backupx/contracts/jobs';
import type { RestoreEntry } from '@backupx/engine/ports/source';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDatabases } from '../../packages/engine/src/sources/postgresql/read-databases.ts';
import { configSchema } from '../../packages/engine/src/sources/postgresql/settings.ts';
import { openVerifier } from '../../packages/engine/src/sources/postgresql/verify-dumps.ts';
import { PASSWORD, type Postgresql, PROGRAMS, startPostgresql } from '../servers/postgresql.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import {
  databaseNames,
  describeDatabase,
  makeLatin,
  makeOddDatabases,
  makeShop,
  ODD_NAMES,
} from './postgresql-samples.ts';

const work = makeWorkFolder('postgresql-directory');
const runner = createRunner(work.at('temp'));
let server: Postgresql;

beforeAll(async () => {
  server = await startPostgresql();
  makeShop(server);
  makeOddDatabases(server);
  makeLatin(server);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'postgresql',
  config: {
    ...{ dbHost: '127.0.0.1', dbPort: server.port, dbPassword: PASSWORD, format: 'directory', parallelJobs: 3 },
    ...more,
  },
});
const staged = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));
const scratches = () => databaseNames(server).filter((name) => name.startsWith('backupx'));
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

function bytesBelow(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name));
  return names.reduce((sum, name) => sum + (statSync(name).isFile() ? statSync(name).size : 0), 0);
}

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
  });

  it('brings back every object and row of every database', async () => {
    const databases = ['shop', 'latin', ...ODD_NAMES.slice(-5)];
    const before = new Map(databases.map((name) => [name, describeDatabase(server, name)]));
    const list = databaseNames(server);
    const watch = watchTools(`port='${server.port}'`);
    const result = await jobs.backup(source({ databases }));
    expect(result).toMatchObject({ status: 'success', problems: [] });
    expect(staged()).toEqual([]);
    server.sql('DROP VIEW sales.big; DELETE FROM sales.orders WHERE id > 7; DROP FUNCTION touch CASCADE', 'shop');
    server.sql('SELECT lo_unlink(4711)', 'shop');
    server.sql('DROP DATABASE ".."');
    const options = { replaceExisting: true, parallelJobs: 2 };
    expect(await jobs.restore(source(), result, { options })).toMatchObject({ status: 'success', problems: [] });
    for (const tool of watch.stop()) expect(tool.commandLine + tool.environment).not.toContain('ss "w');
    for (const [name, text] of before) expect(describeDatabase(server, name), name).toBe(text);
    expect(databaseNames(server)).toEqual(list);
    expect(staged()).toEqual([]);
  });

  it('puts a part back, and makes a database of another name', async () => {
    const result = await jobs.backup(source({ databases: ['shop', 'latin'] }));
    const original = describeDatabase(server, 'shop');
    server.sql('DROP TABLE "Odd Schema"."x.y z"', 'shop');
    await jobs.restore(source(), result, {
      paths: ['/postgresql/shop/dump'],
      options: { tables: ['Odd Schema.x.y z'] },
    });
    expect(describeDatabase(server, 'shop')).toBe(original);
    await jobs.restore(source(), result, {
      paths: ['/postgresql/shop'],
      options: { rename: ['shop=copy_of_it'], singleTransaction: true },
    });
    expect(describeDatabase(server, 'copy_of_it').replaceAll('copy_of_it', 'shop')).toBe(original);
    server.sql('DROP DATABASE copy_of_it');
    const error = await failure(jobs.restore(source(), result, { options: {} }));
    expect([error.code, error.message]).toEqual(['DATABASE_EXISTS', expect.stringMatching(/"(shop|latin)"/)]);
    for (const alone of ['inventory.json', 'dump/toc.dat']) {
      const nothing = jobs.restore(source(), result, {
        paths: [`/postgresql/shop/${alone}`],
        options: { rename: ['shop=copy_of_it'] },
      });
      expect((await failure(nothing)).code).toBe('RESTORE_NOTHING_WRITTEN');
    }
    expect([scratches(), staged()]).toEqual([[], []]);
  });

  it('is proven quickly and deeply', async () => {
    const result = await jobs.backup(source({ databases: ['shop'] }));
    const prove = (depth: 'quick' | 'deep'): Promise<VerifyArtifactResult> =>
      runner.run({ kind: 'verify_artifact', source: source(), mode: depth, artifact: jobs.artifactOf(result) });
    for (const depth of ['quick', 'deep'] as const) {
      const { checks } = await prove(depth);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.map(({ name }) => name)).toEqual(
        expect.arrayContaining(
          depth === 'deep' ? ['structure', 'inventory', 'restore', 'rows'] : ['structure', 'inventory'],
        ),
      );
    }
    expect(staged()).toEqual([]);
  });

  it('goes into files that stock programs read', async () => {
    const result = await jobs.backup(source({ databases: ['shop'] }));
    const folder = work.at(`files-${mode}`);
    await jobs.restore(source(), result, { targetPath: folder });
    const dump = path.join(folder, 'postgresql/shop/dump');
    expect(readdirSync(dump)).toEqual(expect.arrayContaining(['blob_4711.dat', 'blobs.toc', 'toc.dat']));
    server.sql('CREATE DATABASE stock');
    const conninfo = `host=127.0.0.1 port=${server.port} user=postgres dbname=stock`;
    const args = ['--exit-on-error', '--jobs=2', `--dbname=${conninfo}`, dump];
    execFileSync(`${PROGRAMS}/pg_restore`, args, { env: { PGPASSWORD: PASSWORD } });
    expect(server.sql('SELECT count(*) FROM sales.orders', 'stock').trim()).toBe('5000');
    server.sql('DROP DATABASE stock');
  });
});

it('comes back with stock programs alone, as the documentation says', async () => {
  const jobs = await createSourceJobs(runner, work, 'archive');
  const result = await jobs.backup(source({ databases: ['shop'] }));
  const archive = path.join(jobs.store, result.storagePath);
  const folder = work.at('stock');
  mkdirSync(folder);
  execFileSync('sh', ['-c', `zstd -dc '${archive}' | tar -xf - -C '${folder}' postgresql/shop/dump`]);
  const list = execFileSync(`${PROGRAMS}/pg_restore`, ['-l', path.join(folder, 'postgresql/shop/dump')]);
  expect(list.toString()).toContain('TABLE DATA sales orders');
});

it('adds to a repository only what changed, although its files are called otherwise', async () => {
  const own = { ...work, at: (...parts: string[]) => work.at('own', ...parts) };
  mkdirSync(work.at('own'));
  const jobs = await createSourceJobs(runner, own, 'repository');
  server.sql('CREATE DATABASE steady');
  const rows = 'SELECT g AS id, md5(g::text) || md5((g * 7)::text) AS text FROM generate_series(1, 60000) g';
  server.sql(`CREATE TABLE many AS ${rows}; CREATE TABLE more AS SELECT id + 1 AS id, text FROM many`, 'steady');
  const first = await jobs.backup(source({ databases: ['steady'], includeGlobals: false }));
  const size = bytesBelow(jobs.store);
  // A table that comes first shifts the numbers of all the others.
  server.sql('CREATE TABLE a_first (i int); INSERT INTO a_first VALUES (1)', 'steady');
  const second = await jobs.backup(source({ databases: ['steady'], includeGlobals: false }));
  const namesOf = async (result: typeof first, name: string) => {
    await jobs.restore(source(), result, { targetPath: work.at(name) });
    return readdirSync(work.at(name, 'postgresql/steady/dump')).filter((file) => file !== 'toc.dat');
  };
  const [before, after] = [await namesOf(first, 'first'), await namesOf(second, 'second')];
  expect(after).toHaveLength(before.length + 1);
  expect(before.some((name) => !after.includes(name))).toBe(true);
  const added = bytesBelow(jobs.store) - size;
  console.log(`second backup: ${added} bytes added, ${second.sourceBytes} read`);
  expect(added).toBeLessThan(second.sourceBytes / 20);
  const both = await jobs.backup(source({ databases: ['shop', 'steady'], includeGlobals: false }));
  const names = databaseNames(server);
  const foresee = (rename: string[]) => jobs.restore(source(), both, { options: { rename }, dryRun: true });
  expect(await foresee([])).toMatchObject({ status: 'success', itemsWritten: 2 });
  await expect(foresee(['steady=shop'])).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
  expect(databaseNames(server)).toEqual(names);
  server.sql('DROP DATABASE steady');
});

describe('damage', () => {
  type Files = Map<string, Buffer | null>;
  const context = () => ({ signal: new AbortController().signal, tempDir: mkdtempSync(work.at('verify-')), log() {} });
  const config = () => configSchema.parse(source({ databases: ['shop'] }).config);

  async function filesOfBackup(): Promise<Files> {
    const files: Files = new Map();
    for await (const entry of readDatabases(config(), { ...context(), problem() {} })) {
      const chunks: Uint8Array[] = [];
      const content = entry.content?.kind === 'stream' ? entry.content.stream : null;
      for await (const chunk of content ?? []) chunks.push(Uint8Array.from(chunk));
      files.set(Buffer.from(entry.path).toString(), content && Buffer.concat(chunks));
    }
    return files;
  }

  function entryOf(name: string, bytes: Buffer | null): RestoreEntry {
    async function* content() {
      if (bytes) yield bytes;
    }
    return {
      ...{ path: Buffer.from(name), type: bytes ? 'file' : 'directory', mode: 0o600, uid: 0, gid: 0 },
      ...{ userName: '', groupName: '', modifiedAtNs: 0n, linkTarget: null, deviceMajor: 0, deviceMinor: 0 },
      ...{ xattrs: null, segments: null, sizeBytes: bytes?.byteLength ?? 0, content: bytes && content() },
    };
  }

  /** Checks of a dump whose files were changed on the way. */
  async function checksOf(depth: 'quick' | 'deep', change: (files: Files) => void) {
    const files = await filesOfBackup();
    change(files);
    const place = context();
    const verifier = await openVerifier(config(), { ...place, depth, options: {} });
    try {
      // As a repository brings them.
      for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
        await verifier.write(entryOf(name, bytes));
      return await verifier.finish();
    } finally {
      await verifier.close();
      expect(readdirSync(place.tempDir)).toEqual([]);
    }
  }
  const TOC = '/postgresql/shop/dump/toc.dat';
  const rowsOf = (files: Files) =>
    [...files.keys()].find((name) => /\/\d+\.dat$/.test(name) && (files.get(name)?.byteLength ?? 0) > 1000) ?? '';

  it.each<[string, (files: Files) => void, RegExp]>([
    ['a table is missing', (files) => files.delete(rowsOf(files)), /"\d+\.dat" is missing/],
    [
      'rows are cut off',
      (files) => files.set(rowsOf(files), files.get(rowsOf(files))?.subarray(0, 99) ?? null),
      /cut off/,
    ],
    ['the contents are missing', (files) => files.delete(TOC), /table of contents is missing/],
    [
      'there is a file too many',
      (files) => files.set('/postgresql/shop/dump/0.dat', Buffer.from('\\.\n\n\n')),
      /"0\.dat" that its contents do not tell of/,
    ],
    [
      'the whole dump is missing',
      (files) => {
        for (const name of files.keys()) if (name.includes('/dump/')) files.delete(name);
      },
      /dump is missing/,
    ],
  ])('is told when %s', async (_, change, message) => {
    const checks = await checksOf('quick', change);
    expect(checks.filter(({ ok }) => !ok)).toContainEqual(
      expect.objectContaining({ subject: 'shop', name: 'structure', detail: expect.stringMatching(message) }),
    );
  });

  it('is told by a deep proof too, which leaves nothing', async () => {
    const cut = (files: Files) => files.set(rowsOf(files), files.get(rowsOf(files))?.subarray(0, 99) ?? null);
    const checks = await checksOf('deep', cut);
    expect(checks.filter(({ ok }) => !ok)).toEqual([expect.objectContaining({ subject: 'shop', name: 'structure' })]);
  });
});
