/** Physical backups of a real server: back into new data directories, started, compared; up to points in time. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RunBackupResult } from '@backupx/contracts/jobs';
import type { SourceEntry } from '@backupx/engine/ports/source';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openVerifier } from '../../packages/engine/src/sources/postgresql/physical/cluster-verifier.ts';
import { readCluster } from '../../packages/engine/src/sources/postgresql/physical/read-cluster.ts';
import { configSchema } from '../../packages/engine/src/sources/postgresql/physical/settings.ts';
import { PASSWORD, type Postgresql, PROGRAMS, startOn, startPostgresql } from '../servers/postgresql.ts';
import { until } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { type BackupMode, backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { freePort } from '../support/start-program.ts';
import { watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { describeDatabase, makeShop } from './postgresql-samples.ts';

const BACKUPX = path.resolve(import.meta.dirname, '../../apps/cli/bin/backupx.mjs');
/** The server runs its restore command as its own user. */
const serverMayRunUs =
  process.getuid?.() !== 0 ||
  spawnSync('setpriv', ['--reuid=postgres', '--clear-groups', process.execPath, BACKUPX, '--version'], { cwd: '/' })
    .status === 0;
const work = makeWorkFolder('postgresql-physical');
const runner = createRunner(work.at('temp'));
const archive = work.at('wal');
let server: Postgresql;
let jobs: SourceJobs;
let jobsIn: Record<BackupMode, SourceJobs>;

/** A folder that the owner of data directories gets through. */
function openFolder(folder: string, mode = 0o711): string {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, mode);
  return folder;
}

beforeAll(async () => {
  openFolder(work.path);
  openFolder(archive, 0o777);
  server = await startPostgresql({
    initdb: ['--data-checksums'],
    settings: ['archive_mode=on', `archive_command='cp "%p" "${archive}/%f"'`],
  });
  makeShop(server);
  jobs = await createSourceJobs(runner, work, 'archive');
  jobsIn = { archive: jobs, repository: await createSourceJobs(runner, work, 'repository') };
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const sourceOf = (place: Postgresql, more: Record<string, unknown> = {}) => ({
  type: 'postgresql-physical',
  config: { dbHost: '127.0.0.1', dbPort: place.port, dbPassword: PASSWORD, ...more },
});
const source = (more: Record<string, unknown> = {}) => sourceOf(server, more);
const restoreInto = (result: RunBackupResult, name: string, options: Record<string, unknown> = {}, from = jobs) =>
  from.restore(source(), result, { options: { dataFolder: work.at(name), ...options } });
const failure = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  );

/** Starts a server on a restored data directory for as long as `look` takes. */
async function started<T>(name: string, look: (restored: Postgresql) => T | Promise<T>): Promise<T> {
  const restored = await startOn(work.at(name));
  try {
    return await look(restored);
  } finally {
    await restored.stop();
  }
}

/** The commands of the guide in a restored data directory, which a shell runs as they stand there. */
async function openGuide(data: string) {
  const guide = readFileSync(path.join(data, 'backupx-restore.txt'), 'utf8');
  const commands = guide.split('\n').flatMap((line) => (/^ {5}\S/.test(line) ? [line.trim()] : []));
  const left = new Set(commands);
  const port = await freePort();
  // Where and as whom a person at the machine gets in; the guide says it of another port, the rest is of the test.
  const env = {
    // Of a root that has come by su, too.
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    PGHOST: server.folder,
    PGPORT: String(port),
    PGUSER: 'postgres',
    PGPASSWORD: PASSWORD,
  };
  const sh = (command: string): string => {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: '/',
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    return status === 0 ? stdout : expect.fail(`${command}\n${stdout}${stderr}`);
  };
  const sql = (script: string, database = 'postgres'): string =>
    execFileSync(path.join(PROGRAMS, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', database], {
      env,
      input: script,
      encoding: 'utf8',
    });
  return {
    port,
    besideOriginal: `-o '-p ${port} -c archive_command=true'`,
    /** Runs the only one that fits. */
    run(what: RegExp, more = ''): string {
      const [command, ...others] = commands.filter((one) => what.test(one));
      if (command === undefined || others.length > 0) return expect.fail(`${what} is not one line of\n${guide}`);
      left.delete(command);
      return sh(`${command} ${more}`);
    },
    sql,
    ask: (script: string, database?: string): string => sql(script, database).trim(),
    /** Commands nobody has run. */
    left: (): string[] => [...left],
    stop(): void {
      const start = commands.find((one) => one.endsWith(' start')) ?? '';
      spawnSync('sh', ['-c', start.replace(/ -l .*/, ' -m immediate -w stop')], { cwd: '/', env });
    },
  };
}

/** The only one that is kept of a folder. */
function keptOf(name: string): string {
  const kept = readdirSync(work.path).filter((one) => one.startsWith(`${name}.replaced-`));
  expect(kept).toHaveLength(1);
  return kept[0] ?? '';
}

/** Waits until the WAL written so far is in the archive. */
async function archiveWal(): Promise<void> {
  const segment = server.sql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())').trim();
  server.sql('SELECT pg_switch_wal() \\g /dev/null');
  await until(
    `${segment} in the archive`,
    () => existsSync(path.join(archive, segment)) && statSync(path.join(archive, segment)).size === 2 ** 24,
  );
}

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);

describe.each(backupModes)('in mode %s', (mode) => {
  it('comes back as it was, whatever happened since', async () => {
    const own = jobsIn[mode];
    const watch = watchTools(`port='${server.port}'`);
    const result = await own.backup(source());
    const seen = watch.stop();
    expect(result.problems).toEqual([]);
    expect(seen.map(({ name }) => name)).toContain('pg_basebackup');
    for (const tool of seen) expect(`${tool.commandLine} ${tool.environment}`).not.toContain('ss "w');
    const before = describeDatabase(server, 'shop');
    server.sql('DELETE FROM sales.orders WHERE id % 2 = 0', 'shop');
    const restored = await restoreInto(result, `back-${mode}`, {}, own);
    expect(restored).toMatchObject({ status: 'success', problemCount: 0 });
    const data = work.at(`back-${mode}`);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(readdirSync(data).filter((name) => name.startsWith('.backupx'))).toEqual([]);
    await started(`back-${mode}`, (copy) => {
      expect(describeDatabase(copy, 'shop')).toBe(before);
      // A copy never writes into the archive of the original.
      expect(copy.sql('SHOW archive_mode')).toBe('off\n');
    });
  });
});

it('adds little to a repository when little has changed', async () => {
  const own = jobsIn.repository;
  await own.backup(source());
  const first = bytesBelow(own.store);
  server.sql("INSERT INTO sales.customers (name) VALUES ('one more')", 'shop');
  const result = await own.backup(source());
  const added = bytesBelow(own.store) - first;
  console.log(`second backup: ${added} bytes added, ${result.sourceBytes} read`);
  expect(added).toBeLessThan(result.sourceBytes / 20);
});

describe('up to a point in time', () => {
  let saved: RunBackupResult;
  let wanted: string;
  let moment: string;
  let early: string;

  beforeAll(async () => {
    saved = await jobs.backup(source());
    server.sql("UPDATE sales.customers SET name = 'not yet'", 'shop');
    early = server.sql('SELECT clock_timestamp()').trim();
    server.sql("UPDATE sales.customers SET name = 'good'", 'shop');
    wanted = describeDatabase(server, 'shop');
    server.sql("SELECT pg_create_restore_point('before the mistake') \\g /dev/null");
    moment = server.sql('SELECT clock_timestamp()').trim();
    server.sql('DELETE FROM sales.orders', 'shop');
    server.sql("UPDATE sales.customers SET name = 'bad'", 'shop');
    await archiveWal();
  });

  it('stops at a time and at a later one, and becomes the server, by the very words of its guide', async () => {
    const options = { recoveryTarget: 'time', targetTime: early, restoreCommand: `cp ${archive}/%f "%p"` };
    await restoreInto(saved, 'to-time', options);
    const copy = await openGuide(work.at('to-time'));
    try {
      copy.run(/ start$/, copy.besideOriginal);
      await until('the pause', () => copy.ask('SELECT pg_get_wal_replay_pause_state()') === 'paused');
      expect(copy.run(/pg_last_xact_replay_timestamp/)).toMatch(/^ t /m);
      expect(copy.ask("SELECT count(*) FROM sales.customers WHERE name = 'good'", 'shop')).toBe('0');
      copy.run(/ stop$/);
      const settings = work.at('to-time', 'postgresql.auto.conf');
      writeFileSync(settings, readFileSync(settings, 'utf8').replace(early, moment));
      copy.run(/ start$/, copy.besideOriginal);
      await until('the pause', () => copy.ask('SELECT pg_get_wal_replay_pause_state()') === 'paused');
      expect(copy.ask("SELECT count(*) FROM sales.customers WHERE name <> 'good'", 'shop')).toBe('0');
      expect(copy.ask('SELECT pg_is_in_recovery()')).toBe('t');
      copy.run(/pg_wal_replay_resume/);
      await until('the end of the recovery', () => copy.ask('SELECT pg_is_in_recovery()') === 'f');
      copy.run(/RESET restore_command/);
      copy.run(/SET archive_mode/);
      copy.run(/max_logical_replication_workers/);
      copy.run(/ restart$/);
      const names = "('restore_command', 'recovery_target_time', 'archive_mode')";
      expect(copy.ask(`SELECT string_agg(setting, ',' ORDER BY name) FROM pg_settings WHERE name IN ${names}`)).toBe(
        'on,,',
      );
      expect(describeDatabase({ ...server, port: copy.port }, 'shop')).toBe(wanted);
      copy.sql("INSERT INTO sales.customers (name) VALUES ('after')", 'shop');
      expect(copy.left()).toEqual([]);
    } finally {
      copy.stop();
    }
  });

  it('has a command that brings WAL back which BackupX archived', async () => {
    const [config, store] = [work.at('wal.conf'), openFolder(work.at('wal-store'), 0o755)];
    writeFileSync(config, `storage = local_disk\nstorage.basePath = ${store}\nprefix = shop\n`, { mode: 0o644 });
    for (const name of readdirSync(archive)) {
      execFileSync(process.execPath, [BACKUPX, 'wal', 'push', '--config', config, path.join(archive, name)]);
    }
    execFileSync('chmod', ['-R', 'a+rX', store]);
    const options = { recoveryTarget: 'name', targetName: 'before the mistake', walConfig: config };
    await restoreInto(saved, 'to-name', { ...options, targetAction: 'promote' });
    const settings = readFileSync(work.at('to-name', 'postgresql.auto.conf'), 'utf8');
    const command = /^restore_command = '(.*)'$/m.exec(settings)?.[1]?.replaceAll("''", "'") ?? '';
    const [name = ''] = readdirSync(archive).sort().reverse();
    execFileSync('sh', ['-c', command.replace('%f', name).replace('%p', work.at('fetched'))]);
    expect(readFileSync(work.at('fetched')).equals(readFileSync(path.join(archive, name)))).toBe(true);
  });

  it.skipIf(!serverMayRunUs)(
    'stops at a restore point with that command (needs a checkout that all may read)',
    async () => {
      await started('to-name', async (copy) => {
        await until('the end of the recovery', () => copy.sql('SELECT pg_is_in_recovery()') === 'f\n');
        expect(describeDatabase(copy, 'shop')).toBe(wanted);
      });
    },
  );

  it('goes to the end of the archive, or no further than the backup itself', async () => {
    await restoreInto(saved, 'to-end', { recoveryTarget: 'latest', restoreCommand: `cp ${archive}/%f "%p"` });
    await started('to-end', async (copy) => {
      await until('the end of the recovery', () => copy.sql('SELECT pg_is_in_recovery()') === 'f\n');
      expect(
        copy.sql(
          "SELECT count(*) FROM sales.orders UNION ALL SELECT count(*) FROM sales.customers WHERE name = 'bad'",
          'shop',
        ),
      ).toMatch(/^0\n20\d\n$/);
    });
    await restoreInto(saved, 'at-once', { recoveryTarget: 'immediate', targetAction: 'promote' });
    await started('at-once', async (copy) => {
      await until('the end of the recovery', () => copy.sql('SELECT pg_is_in_recovery()') === 'f\n');
      expect(copy.sql("SELECT count(*) FROM sales.customers WHERE name IN ('good', 'bad')", 'shop')).toBe('0\n');
    });
  });

  it('refuses what cannot be, and leaves nothing', async () => {
    const restoreCommand = 'false';
    const wrong: Record<string, unknown>[] = [
      { recoveryTarget: 'time', targetTime: '2020-01-01 00:00:00', restoreCommand },
      { recoveryTarget: 'lsn', targetLsn: '0/1', restoreCommand },
      { recoveryTarget: 'time', restoreCommand },
      { recoveryTarget: 'latest' },
      { tablespaces: ['/nowhere=/elsewhere'] },
      { dataFolder: '' },
    ];
    for (const options of wrong) {
      expect(await failure(restoreInto(saved, 'nothing', options)), JSON.stringify(options)).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
    expect(existsSync(work.at('nothing'))).toBe(false);
  });
});

describe('where something is already', () => {
  let result: RunBackupResult;

  beforeAll(async () => {
    result = await jobs.backup(source());
  });

  it('never touches a server that runs, nor a folder of others; replaces a cluster only when it may', async () => {
    const before = describeDatabase(server, 'shop');
    const running = path.join(server.folder, 'data');
    for (const replaceExisting of [false, true]) {
      const into = restoreInto(result, '', { dataFolder: running, replaceExisting });
      expect(await failure(into)).toMatchObject({ code: 'DATABASE_IN_USE' });
    }
    const preview = (dataFolder: string) =>
      runner.run({
        kind: 'inspect_target',
        source: source(),
        options: { dataFolder, replaceExisting: true },
        entries: [],
      });
    const pid = readFileSync(path.join(running, 'postmaster.pid'), 'utf8').split('\n')[0];
    const session = { id: pid, address: `port ${server.port}`, program: 'postgres' };
    expect((await preview(running)).databases).toMatchObject([
      { exists: true, canBeSaved: false, sessions: [session] },
    ]);
    expect((await preview(work.at('nothing'))).databases).toMatchObject([{ exists: false }]);
    const others = openFolder(work.at('others'));
    writeFileSync(path.join(others, 'thesis.txt'), 'twelve years');
    const error = await failure(restoreInto(result, 'others', { replaceExisting: true }));
    expect([error.code, error.message]).toEqual([
      'RESTORE_TARGET_INVALID',
      expect.stringContaining('no data directory'),
    ]);
    expect(readdirSync(others)).toEqual(['thesis.txt']);

    await restoreInto(result, 'taken');
    writeFileSync(work.at('taken', 'mark'), 'old');
    expect(await failure(restoreInto(result, 'taken'))).toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(readFileSync(work.at('taken', 'mark'), 'utf8')).toBe('old');
    expect((await preview(work.at('taken'))).notes?.[0]).toContain(`is kept as ${work.at('taken')}.replaced-<time>`);
    await restoreInto(result, 'taken', { replaceExisting: true });
    const kept = keptOf('taken');
    expect(readFileSync(work.at(kept, 'mark'), 'utf8')).toBe('old');
    await restoreInto(result, 'taken', { replaceExisting: true, keepReplaced: false });
    expect(keptOf('taken')).toBe(kept);
    expect(readdirSync(work.at('taken')).filter((name) => name === 'mark' || name.startsWith('.'))).toEqual([]);
    await started('taken', (copy) => expect(describeDatabase(copy, 'shop')).toBe(before));
  });

  it('comes as files into a folder, too', async () => {
    const targetPath = work.at('files');
    await jobs.restore(source(), result, { targetPath });
    const root = path.join(targetPath, 'postgresql-physical');
    expect(readdirSync(root).sort()).toEqual(['backup_manifest', 'data', 'inventory.json', 'pg_control', 'wal']);
    expect(readdirSync(path.join(root, 'data', 'pg_notify'))).toEqual([]);
    expect(readFileSync(path.join(root, 'data', 'PG_VERSION'), 'utf8')).toBe('15\n');
  });
});

it('brings tablespaces to other places, and a configuration from outside along', async () => {
  const spaces = await startPostgresql({ hasConfigOutside: true });
  try {
    const location = openFolder(path.join(spaces.folder, 'fast disk'));
    execFileSync('chown', ['--reference', path.join(spaces.folder, 'data'), location]);
    spaces.sql(`CREATE TABLESPACE fast LOCATION '${location}'`);
    spaces.sql('CREATE TABLE rows TABLESPACE fast AS SELECT g, md5(g::text) FROM generate_series(1, 5000) g');
    const before = describeDatabase(spaces, 'postgres');
    const own = jobsIn.repository;
    const result = await own.backup(sourceOf(spaces));
    expect(result.problems).toEqual([]);
    const dataFolder = work.at('spaces');
    for (const dryRun of [true, false]) {
      const error = await failure(own.restore(sourceOf(spaces), result, { options: { dataFolder }, dryRun }));
      expect([error.code, error.message]).toEqual(['DATABASE_EXISTS', expect.stringContaining(location)]);
    }
    expect(existsSync(dataFolder)).toBe(false);
    const moved = work.at('fast copy');
    await own.restore(sourceOf(spaces), result, { options: { dataFolder, tablespaces: [`${location}=${moved}`] } });
    await started('spaces', (copy) => {
      expect(describeDatabase(copy, 'postgres').replaceAll(moved, location)).toBe(before);
      expect(copy.sql("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'").trim()).toBe(
        moved,
      );
      copy.sql("INSERT INTO rows VALUES (0, 'after')");
    });
    // Over itself: what was there is a server of its own, with its own tablespace.
    const again = { dataFolder, tablespaces: [`${location}=${moved}`], replaceExisting: true };
    await own.restore(sourceOf(spaces), result, { options: again });
    const facts = 'SELECT count(*), pg_tablespace_location(oid) FROM rows, pg_tablespace WHERE spcname = $$fast$$';
    const look = (copy: Postgresql) => copy.sql(`${facts} GROUP BY 2`).trim();
    expect(await started('spaces', look)).toBe(`5000|${moved}`);
    expect(await started(keptOf('spaces'), look)).toBe(`5001|${work.at(keptOf('fast copy'))}`);
    const checks = await verify('deep', await recordEntries(spaces));
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(
      readdirSync(work.at('temp'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tar')),
    ).toEqual([]);
  } finally {
    await spaces.stop();
  }
});

interface Recorded {
  readonly entry: SourceEntry;
  /** Null: no file. */
  readonly bytes: Buffer | null;
}

const context = { signal: new AbortController().signal, tempDir: work.at('temp'), log() {}, problem() {} };

/** A backup in memory. */
async function recordEntries(place: Postgresql): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  for await (const entry of readCluster(configSchema.parse(sourceOf(place).config), context)) {
    const stream = entry.content?.kind === 'stream' ? entry.content.stream : null;
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream ?? []) chunks.push(Uint8Array.from(chunk));
    recorded.push({ entry, bytes: stream && Buffer.concat(chunks) });
  }
  return recorded;
}

/** `broken`: one byte in the middle of each such file is another. */
async function verify(depth: 'quick' | 'deep', recorded: readonly Recorded[], broken?: RegExp) {
  const verifier = await openVerifier(configSchema.parse(source().config), { ...context, depth, options: {} });
  try {
    for (const { entry, bytes } of recorded) {
      const isBroken = broken?.test(Buffer.from(entry.path).toString()) && bytes && bytes.byteLength > 0;
      const told = isBroken ? Buffer.from(bytes) : bytes;
      if (isBroken && told) told[told.byteLength >> 1] = (told[told.byteLength >> 1] ?? 0) ^ 1;
      const content = async function* () {
        if (told) yield told;
      };
      const sizeBytes = told?.byteLength ?? 0;
      await verifier.write({ ...entry, sizeBytes, segments: null, content: told && content() });
    }
    return await verifier.finish();
  } finally {
    await verifier.close();
  }
}

describe('verification', () => {
  let recorded: Recorded[];

  beforeAll(async () => {
    recorded = await recordEntries(server);
  });

  it('quickly holds every file against the list of the server', async () => {
    const checks = await verify('quick', recorded);
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['structure', true],
      ['content', true],
    ]);
    for (const [wanted, told] of [
      [/global\/1262$/, 'global/1262 has another checksum'],
      [/wal\/[0-9A-F]{24}$/, 'is not the file that was saved'],
    ] as const) {
      const bad = (await verify('quick', recorded, wanted)).find(({ ok }) => !ok);
      expect(bad).toMatchObject({ name: 'content', detail: expect.stringContaining(told) });
    }
    expect((await verify('quick', recorded, /backup_manifest$/)).find(({ ok }) => !ok)).toMatchObject({
      name: 'structure',
    });
  });

  it('deeply starts a server on it, reads everything, and leaves nothing', async () => {
    const checks = await verify('deep', recorded);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(new Set(checks.map(({ name }) => name))).toEqual(
      new Set(['structure', 'content', 'restore', 'inventory', 'rows', 'engine']),
    );
    const left = [work.at('temp'), tmpdir()].flatMap((folder) => readdirSync(folder));
    // Those of test files that run beside this one are not ours.
    expect(left.filter((name) => name.startsWith(`backupx-verify-${process.pid}.`))).toEqual([]);
  });
});
