/** Physical backups that cannot go well: they must fail in words, leave nothing behind, and harm no data folder. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { until } from '../support/faulty-runs.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const PASSWORD = `p:\\ "'#ü %s`;
const work = makeWorkFolder('mariadb-physical-faults');
const runner = createRunner(work.at('temp'));
/** The data of a server that stands still, as far as anybody can see. */
const replaced = work.at('replaced');
let server: Mariadb;
let jobs: SourceJobs;

beforeAll(async () => {
  server = await startMariadb();
  mkdirSync(path.join(replaced, 'mysql'), { recursive: true });
  writeFileSync(path.join(replaced, 'ibdata1'), 'pages');
  jobs = await createSourceJobs(runner, work, 'archive');
  server.sql(`CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v CHAR(64)); USE shop;
    INSERT INTO t SELECT seq, SHA2(seq, 256) FROM seq_1_to_20000;
    CREATE USER copier@'127.0.0.1' IDENTIFIED BY '${PASSWORD.replaceAll(/['\\]/g, '\\$&')}';
    GRANT SELECT ON *.* TO copier@'127.0.0.1'; CREATE USER weak@'127.0.0.1'`);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

const source = (more: Record<string, unknown> = {}) => ({
  type: 'mysql-physical',
  config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root', ...more },
});
const stored = () => readdirSync(jobs.store, { recursive: true }).filter((name) => !String(name).endsWith('.json'));
const leftInTemp = () => readdirSync(work.at('temp')).flatMap((name) => readdirSync(work.at('temp', name)));

const running = (info: string) =>
  server.sql(`SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '${info}%'`) === '1\n';

/** Another session has a lock that the program needs in the middle of its work. */
async function besideLock(act: () => Promise<void>): Promise<void> {
  const statements = 'BACKUP STAGE START; SELECT SLEEP(1000)';
  const holder = spawn('mariadb', ['--no-defaults', '-S', server.socket, '-u', 'root', '-e', statements]);
  const gone = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  try {
    await until('the lock', () => running('SELECT SLEEP'));
    await act();
  } finally {
    holder.kill();
    await gone;
    // A killed client leaves its session until that writes.
    const ids = server.sql(`SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'`);
    for (const id of ids.split('\n').filter(Boolean)) server.tryTo(`KILL ${id}`);
  }
}

describe('before anything is stored', () => {
  it.each([
    ['a wrong password', { dbUser: 'copier', dbPassword: 'wrong' }, 'DATABASE_AUTH'],
    ['a closed port', { dbPort: 1 }, 'DATABASE_UNREACHABLE'],
    ['a user who may not', { dbUser: 'weak' }, 'DATABASE_PERMISSION'],
    ['a data folder that is none', { dataFolder: '/nonexistent' }, 'SOURCE_NOT_READABLE'],
  ])('%s', async (_, config, code) => {
    const before = stored();
    await expect(jobs.backup(source(config))).rejects.toMatchObject({ code });
    expect(stored()).toEqual(before);
    expect(leftInTemp()).toEqual([]);
  });

  it('a program of another series', async () => {
    const folder = work.at('old');
    mkdirSync(folder);
    for (const name of ['mariadb-backup', 'mariabackup']) {
      writeFileSync(
        path.join(folder, name),
        "#!/bin/sh\necho 'mariadb-backup based on MariaDB server 10.6.1-MariaDB Linux (x86_64)'\n",
      );
      chmodSync(path.join(folder, name), 0o755);
    }
    await expect(jobs.backup(source({ toolFolder: folder }))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_MISMATCH',
      params: { package: 'mariadb-backup of the series 10.11' },
    });
  });
});

it('names what a user lacks; the offered statements give it; the password is seen by nobody', async () => {
  const config = { dbUser: 'copier', dbPassword: PASSWORD };
  const told = await runner.run({ kind: 'inspect_source', source: source(config) });
  expect(told).toMatchObject({
    server: expect.stringMatching(/^MariaDB 10/),
    tool: expect.stringContaining('mariadb-backup'),
  });
  expect(told.warnings).toEqual(
    ['RELOAD', 'PROCESS', 'LOCK TABLES', 'BINLOG MONITOR'].map(
      (right) => `Without the right ${right} on *.* nothing can be backed up.`,
    ),
  );
  server.sql(
    String(told.readOnlyUserSql).replace('…a long password…', 'long').replaceAll(`@'localhost'`, `@'127.0.0.1'`),
  );
  expect(
    (await runner.run({ kind: 'inspect_source', source: source({ dbUser: 'backupx', dbPassword: 'long' }) })).warnings,
  ).toEqual([]);
  server.sql(`GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO copier@'127.0.0.1'`);
  const names = ['mariadb', 'mariadb-backup', 'mariadbd', 'mbstream'];
  const { folder, called, text } = recordPrograms(work.at('recorded'), names);
  const recorded = source({ ...config, toolFolder: folder });
  const result = await jobs.backup(recorded);
  expect(result).toMatchObject({ status: 'success', problems: [] });
  await jobs.restore(recorded, result, { options: { dataFolder: work.at('seen'), owner: userInfo().username } });
  const proof = { kind: 'verify_artifact', source: recorded, mode: 'deep', artifact: jobs.artifactOf(result) } as const;
  expect((await runner.run(proof)).status).toBe('success');
  expect(called()).toEqual(expect.arrayContaining(['mariadb', 'mariadb-backup', 'mariadbd']));
  expect(text()).not.toContain(PASSWORD.slice(0, 4));
});

for (const mode of backupModes) {
  damagedBackups(mode, {
    ...{ name: 'a backup of data files', work, runner, source: () => source() },
    restore: { options: { dataFolder: replaced, replaceExisting: true, owner: userInfo().username } },
    look: () => [readdirSync(replaced, { recursive: true }), readdirSync(work.path)],
  });
  dumpFaults(mode, {
    ...{ name: 'a copy of data files', work, runner, leavesSecrets: true },
    slow: () => source(),
    large: () => source(),
    quick: () => source(),
    beside: besideLock,
    begun: () => until('the wait for the lock', () => running('BACKUP STAGE')),
    hasEnded: () => findTools(work.path).every(({ name }) => name !== 'mariadb-backup'),
    program: { name: 'mariadb-backup', word: () => work.path },
    server: { kill: () => server.kill(), start: () => server.start() },
  });
}

describe('a restore', () => {
  let result: Awaited<ReturnType<SourceJobs['backup']>>;
  beforeAll(async () => {
    result = await jobs.backup(source());
  });
  const restore = (options: Record<string, unknown>) =>
    jobs.restore(source(), result, { options: { owner: userInfo().username, ...options } });

  const preview = (options: Record<string, unknown>) =>
    runner.run({ kind: 'inspect_target', source: source(), options, entries: [] });

  it('never touches a server that runs, which the preview names', async () => {
    const dataFolder = path.join(server.folder, 'data');
    const before = readdirSync(dataFolder);
    await expect(restore({ dataFolder, replaceExisting: true })).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    expect(readdirSync(dataFolder)).toEqual(before);
    const found = await preview({ dataFolder, replaceExisting: true });
    const pid = readFileSync(path.join(server.folder, 'pid'), 'utf8').trim();
    const session = { id: pid, address: `port ${server.port}`, program: 'mariadbd' };
    expect(found.databases).toMatchObject([{ name: dataFolder, exists: true, canBeSaved: false, sessions: [session] }]);
    expect(found.notes?.[0]).toContain('stop it first');
    expect((await preview({ dataFolder: work.at('nothing') })).databases).toMatchObject([{ exists: false }]);
    // Of a restore that was killed before it could move that out.
    mkdirSync(work.at('emptied/.backupx-kept-1'), { recursive: true });
    const emptied = await preview({ dataFolder: work.at('emptied') });
    expect(emptied).toMatchObject({
      databases: [{ exists: false }],
      notes: [expect.stringContaining('.backupx-kept-1')],
    });
    await expect(preview({})).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
    await expect(restore({})).rejects.toMatchObject({ code: 'RESTORE_TARGET_INVALID' });
  });

  it('replaces the data of a stopped one only when that is allowed, and keeps what was there', async () => {
    const dataFolder = work.at('data');
    await restore({ dataFolder });
    const first = await startMariadb({ dataFolder });
    first.sql('DROP DATABASE shop; CREATE DATABASE fresh');
    await first.stop();
    const before = readdirSync(dataFolder).sort();
    await expect(restore({ dataFolder })).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    const told = await preview({ dataFolder, replaceExisting: true });
    expect(told.notes?.[0]).toContain('is kept as');
    await restore({ dataFolder, replaceExisting: true });
    const [kept = ''] = readdirSync(work.path).filter((name) => name.startsWith('data.replaced-'));
    expect(readdirSync(work.at(kept)).sort()).toEqual(before);
    const again = await startMariadb({ dataFolder });
    try {
      expect(again.sql('CHECKSUM TABLE shop.t EXTENDED')).toBe(server.sql('CHECKSUM TABLE shop.t EXTENDED'));
      expect(again.sql(`SHOW DATABASES LIKE 'fresh'`)).toBe('');
    } finally {
      await again.stop();
    }
  });
});

describe('xtrabackup, by a stand-in for it and for a server of MySQL', () => {
  const folder = work.at('mysql-tools');
  const data = work.at('mysql-data');
  const stand = (name: string, script: string) => {
    writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}`);
    chmodSync(path.join(folder, name), 0o755);
  };
  const source8 = () => source({ toolFolder: folder, dataFolder: data, dbPassword: 'secret' });

  beforeAll(() => {
    for (const name of [folder, path.join(data, 'mysql')]) mkdirSync(name, { recursive: true });
    const files = {
      ibdata1: 'pages',
      'mysql/db.opt': 'x',
      xtrabackup_checkpoints: 'to_lsn = 20\nlast_lsn = 30\n',
      xtrabackup_logfile: 'log',
    };
    for (const [name, text] of Object.entries({
      ...files,
      xtrabackup_info: 'tool_version = 8.0.35-30\nserver_version = 8.0.36\n',
      xtrabackup_binlog_info: 'bin.000007\t155\n',
    }))
      writeFileSync(path.join(data, name), text);
    // The clients of both flavours are asked which server it is.
    for (const name of ['mariadb', 'mysql'])
      stand(
        name,
        `case "$1" in --version) echo 'mysql  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)'; exit;; esac
case "$(cat)" in
  *VERSION*) echo 8.0.36;;
  *'SHOW GRANTS'*) echo 'GRANT ALL PRIVILEGES ON *.* TO \`root\`@\`%\`';;
  *datadir*) printf '${data}/\\tsomewhere\\n';;
  *SCHEMATA*) echo shop;;
  *TABLE_SCHEMA*) printf 'shop\\torders\\tBASE TABLE\\n';;
  *lower_case*) echo 0;;
esac
`,
      );
  });

  const standIn = (ending: string) =>
    stand(
      'xtrabackup',
      `case "$*" in *--version*) echo 'xtrabackup version 8.0.35-30 based on MySQL server 8.0.35 Linux (x86_64)' >&2; exit;;
*--prepare*) echo "$(date) completed OK!" >&2; exit;; esac
cd ${data} && mbstream -c ibdata1 mysql/db.opt xtrabackup_logfile xtrabackup_checkpoints xtrabackup_binlog_info xtrabackup_info
${ending}
`,
    );

  it('is a success when it says so', async () => {
    standIn(`echo 'completed OK!' >&2`);
    const result = await jobs.backup(source8());
    expect(result).toMatchObject({ status: 'success', problems: [] });
    const target = work.at('mysql-restored');
    await jobs.restore(source8(), result, { options: { dataFolder: target, owner: userInfo().username } });
    expect(readFileSync(path.join(target, 'ibdata1'), 'utf8')).toBe('pages');
    await jobs.restore(source8(), result, { targetPath: work.at('mysql-files') });
    const inventory = JSON.parse(readFileSync(work.at('mysql-files/mysql-physical/inventory.json'), 'utf8'));
    expect(inventory.details).toMatchObject({ binlogFile: 'bin.000007', binlogPosition: '155', lastLsn: '30' });
    expect(inventory.objects).toContainEqual({ kind: 'table', name: 'shop.orders' });
  });

  it.each([
    ['ends without a word', '', 'DATABASE_DUMP_INCOMPLETE'],
    ['ends with an error', `echo 'no space left' >&2; exit 1`, 'DATABASE_TOOL_FAILED'],
    ['is cut off', `printf XBSTCK01; echo 'completed OK!' >&2`, 'DATABASE_DUMP_DAMAGED'],
  ])('is a failure when it %s', async (_, ending, code) => {
    standIn(ending);
    await expect(jobs.backup(source8())).rejects.toMatchObject({ code });
  });
});
