/** Dumps of MongoDB that end well and are not what they should be: programs that leave something out, stop early, or warn. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mongodbSource } from '../../packages/engine/src/sources/mongodb/mongodb-source.ts';
import { type FerretdbServer, startFerretdb } from '../servers/ferretdb.ts';
import { storedBelow } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { restoreFolder } from '../support/restore-folder.ts';
import { createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { withoutLast, wrapPrograms } from '../support/wrapped-programs.ts';
import { describeDatabase, makeToolFolder, whyNoMongodb } from './mongodb-samples.ts';

const whyNot = whyNoMongodb();
const suite = (name: string, body: () => void) =>
  whyNot === '' ? describe(name, body) : describe.skip(`${name} (${whyNot})`, body);

const work = makeWorkFolder('mongodb-gaps');
const runner = createRunner(work.at('temp'));
let server: FerretdbServer;
let client: MongoClient;
let real: Record<string, string>;
let jobs: SourceJobs;

beforeAll(async () => {
  if (whyNot !== '') return;
  const folder = makeToolFolder(work.at('bin', 'real'));
  real = Object.fromEntries(['mongodump', 'mongorestore'].map((name) => [name, path.join(folder, name)]));
  server = await startFerretdb({ folder: work.at('server') });
  client = new MongoClient(server.uri);
  const text = (index: number) => `${index} `.repeat(50);
  await client
    .db('shop')
    .collection('kept')
    .insertMany(Array.from({ length: 500 }, (_, index) => ({ index, text: text(index) })));
  await client.db('shop').collection('gone').insertOne({ a: 1 });
  await client.db('shop').collection('gone').createIndex({ a: 1 }, { name: 'by a' });
  jobs = await createSourceJobs(runner, work, 'archive');
});
afterAll(async () => {
  await runner.close();
  await client?.close();
  await server?.stop();
  work.remove();
});

/** Nothing with a secret is left. */
afterEach(() => {
  if (whyNot !== '') return;
  expect(readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)))).toEqual([]);
});
const stored = () => storedBelow(jobs.store);

/** A task whose dumps are made by a script. */
function source(name: string, script: string) {
  const toolFolder = wrapPrograms(work.at('bin', name), { real, scripts: { mongodump: script } });
  return {
    type: 'mongodb',
    config: { dbHost: '127.0.0.1', dbPort: server.port, program: 'tools', databases: ['shop'], toolFolder },
  };
}

suite('a dump that ends well', () => {
  it('without a collection makes a warning that names all that is missing, and what it has comes back', async () => {
    const task = source('lossy', 'exec "$real" "$@" --excludeCollection=gone');
    const result = await jobs.backup(task);
    expect(result.status).toBe('warning');
    expect(result.problems.map(({ path: at, code, message }) => `${at} ${code} ${message}`).sort()).toEqual([
      '/mongodb/shop unreadable collection gone is missing',
      '/mongodb/shop unreadable index gone _id_ is missing',
      '/mongodb/shop unreadable index gone by a is missing',
    ]);
    const restored = await jobs.restore(task, result, { options: { rename: ['shop=copy'] } });
    expect(restored).toMatchObject({ status: 'success', problems: [] });
    const kept = (await describeDatabase(client, 'shop')).split('\n').filter((line) => line.startsWith('kept '));
    expect(kept).toHaveLength(1);
    expect(await describeDatabase(client, 'copy')).toBe(kept[0]);
    await client.db('copy').dropDatabase();
  });

  it.each([
    ['before its last mark', 4],
    ['in its documents', 20_000],
  ])('and is cut off %s fails the run', async (what, bytes) => {
    const before = stored();
    await expect(jobs.backup(source(`cut ${what}`, withoutLast(bytes)))).rejects.toMatchObject({
      code: 'DATABASE_DUMP_INCOMPLETE',
    });
    expect(stored()).toEqual(before);
  });

  it('and warned makes a warning with its words, whatever it said later; what is about the call is none', async () => {
    const time = '2026-05-01T10:00:00.000+0000';
    const words = 'warning, it is odd';
    const progress = `i=0; while [ $i -lt 400 ]; do echo "${time}\twriting shop.kept to archive on stdout" >&2; i=$((i + 1)); done`;
    const script = (text: string) => `echo "${time}\t${text}" >&2; ${progress}; exec "$real" "$@"`;
    expect(await jobs.backup(source('warning', script(words)))).toMatchObject({
      status: 'warning',
      problems: [{ path: '/mongodb/shop', code: 'unsupported', message: words }],
    });
    const aboutCall = "WARNING: ignoring unsupported URI parameter 'compressors'";
    expect(await jobs.backup(source('remark', script(aboutCall)))).toMatchObject({ status: 'success', problems: [] });
  });
});

suite('a restore', () => {
  it('stops before a server of another version, unless that is accepted', async () => {
    const task = source('plain', 'exec "$real" "$@"');
    const folder = work.at('versions');
    const result = await jobs.backup(task);
    const looked = { artifact: jobs.artifactOf(result), path: '', search: 'inventory.json', offset: 0, limit: 10 };
    const page = await runner.run({ kind: 'browse_artifact', ...looked, source: task });
    expect(page.server).toMatch(/^MongoDB \d/);
    await jobs.restore(task, result, { targetPath: folder });
    const restore = (options: object) =>
      restoreFolder(mongodbSource, {
        // FerretDB does not take indexes as mongorestore makes them.
        ...{
          folder,
          isDryRun: false,
          config: { ...task.config, program: 'native' },
          tempDir: work.at('temp-versions'),
        },
        options: { rename: ['shop=copy'], ...options },
        change: (bytes, file) =>
          file.endsWith('inventory.json') ? Buffer.from(bytes.toString().replace(/MongoDB \d+/, 'MongoDB 99')) : bytes,
      });
    await expect(restore({})).rejects.toMatchObject({
      code: 'DATABASE_SERVER_OLDER',
      params: { saved: expect.stringMatching(/^MongoDB 99/), target: expect.stringMatching(/^MongoDB \d/) },
    });
    expect(await client.db('copy').listCollections().toArray()).toEqual([]);
    expect(await restore({ acceptOtherVersion: true })).toContainEqual(
      expect.stringMatching(/^"shop" was dumped from MongoDB 99.* and goes to MongoDB \d.*older/),
    );
    await client.db('copy').dropDatabase();
  });
});
