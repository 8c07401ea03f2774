/** The archive of PostgreSQL's log: real servers that archive into it, recover from it, and are disturbed meanwhile. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newerPrograms, PASSWORD, type Postgresql, PROGRAMS, startOn, startPostgresql } from '../servers/postgresql.ts';
import { waitFor } from '../support/start-program.ts';
import { filesIn, giveTo, makeWalPlace, runWal, type WalPlace } from '../support/wal-place.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('wal');
const newer = await newerPrograms();
const HISTORY = '00000002.history';
let server: Postgresql;
let place: WalPlace;
let base: string;

beforeAll(async () => {
  // The user of the server must get to what is in it.
  chmodSync(work.path, 0o711);
  server = await startPostgresql({ settings: ['archive_mode=on', 'wal_keep_size=1GB', 'hot_standby=off'] });
  const folder = work.at('archive');
  mkdirSync(folder);
  place = makeWalPlace(folder, [`log_file = ${path.join(folder, 'log')}`]);
  giveTo(server.folder, folder);
  server.sql(`ALTER SYSTEM SET archive_command = '"${place.script}" wal push --config "${place.config}" %p'`);
  server.sql('SELECT pg_reload_conf()');
  server.sql('CREATE TABLE orders (id int PRIMARY KEY, note text)');
  addRows(1, 20_000);
  base = takeBaseBackup('base');
});
afterAll(async () => {
  await server?.stop();
  work.remove();
});

function addRows(first: number, last: number): void {
  server.sql(`INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(${first}, ${last}) g`);
}

const rowsOf = (one: Postgresql) =>
  one.sql('SELECT count(*), min(id), max(id), md5(string_agg(id || note, $$,$$ ORDER BY id)) FROM orders');

/** Without any log unless that is said: then all of it must come from the archive. Ends when the archive has what it needs. */
function takeBaseBackup(name: string, log: 'none' | 'stream' = 'none'): string {
  const folder = work.at(name);
  execFileSync(
    path.join(PROGRAMS, 'pg_basebackup'),
    ['-D', folder, '-X', log, '-c', 'fast', '-h', server.folder, '-p', String(server.port), '-U', 'postgres'],
    { env: { PGPASSWORD: PASSWORD }, stdio: 'pipe' },
  );
  return folder;
}

/** Ends the segment that is being written, and answers its name. */
const switchLog = (one = server) => one.sql('SELECT pg_walfile_name(pg_switch_wal())').trim();

async function archived(name: string): Promise<void> {
  await waitFor(`${name} in the archive`, async () => filesIn(place.store).some((file) => file.name === name), 60_000);
}

/** As it is documented. */
const restoreCommand = (script: string, config: string) =>
  `"${script}" wal fetch --config "${config}" --not-there 99 "%f" "%p" || { [ $? = 99 ] && exit 1; exit 255; }`;

/** A copy of the base backup that recovers from the archive of `from`. */
function prepareRecovery(
  name: string,
  from: Pick<WalPlace, 'script' | 'config'> & { readonly base?: string },
  settings: readonly string[] = [],
): string {
  const data = work.at(name);
  execFileSync('cp', ['-a', from.base ?? base, data]);
  const restore = `restore_command = '${restoreCommand(from.script, from.config)}'`;
  appendFileSync(path.join(data, 'postgresql.auto.conf'), [restore, ...settings, ''].join('\n'));
  writeFileSync(path.join(data, 'recovery.signal'), '');
  giveTo(server.folder, data);
  return data;
}

it('brings a server to a moment between two transactions, on a new timeline that is archived, too', async () => {
  addRows(20_001, 40_000);
  const before = rowsOf(server);
  const moment = server.sql('SELECT clock_timestamp()').trim();
  server.sql('DELETE FROM orders WHERE id % 3 = 0');
  await archived(switchLog());
  const data = prepareRecovery('moment', place, [
    `recovery_target_time = '${moment}'`,
    "recovery_target_action = 'promote'",
  ]);
  const copy = await startOn(data);
  try {
    expect(rowsOf(copy)).toBe(before);
    expect(rowsOf(server)).not.toBe(before);
    copy.sql('INSERT INTO orders VALUES (0, $$after$$)');
    const last = switchLog(copy);
    expect(last.slice(0, 8)).toBe('00000002');
    await archived(last);
    await archived(HISTORY);
  } finally {
    await copy.stop();
  }
  const listed = await runWal('list', '--config', place.config, '--json');
  const summary = JSON.parse(listed.stdout);
  expect(summary.timelines.map((item: { timeline: number; missing: number }) => [item.timeline, item.missing])).toEqual(
    [
      [1, 0],
      [2, 0],
    ],
  );
  expect(summary.backups.length).toBe(1);
  const [label] = summary.backups;
  expect(await runWal('verify', '--config', place.config, '--from', label.name, '--deep')).toMatchObject({ code: 0 });
  expect((await runWal('list', '--config', place.config)).stdout).toContain(label.name);
});

describe('a recovery', () => {
  /** The archive as it is, in a place of its own. */
  function copyArchive(name: string): WalPlace {
    const folder = work.at(name);
    mkdirSync(folder);
    const copy = makeWalPlace(folder);
    cpSync(place.store, copy.store, { recursive: true });
    giveTo(server.folder, folder);
    return copy;
  }
  let restarts = 0;
  const newest = () => server.sql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())').trim();
  const isPromoted = (data: string) => existsSync(path.join(data, 'pg_wal', HISTORY));
  const ended = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason));

  it('stops at a damaged or missing segment instead of ending before it, and goes on when it is mended', async () => {
    addRows(50_001, 60_000);
    const name = switchLog();
    addRows(60_001, 70_000);
    await archived(name);
    await archived(switchLog());
    const copy = copyArchive('damaged');
    const file = filesIn(copy.store).find((item) => item.name === name)?.path ?? '';
    const bytes = readFileSync(file);
    const flipped = Buffer.from(bytes);
    flipped[5_000] = (flipped[5_000] ?? 0) ^ 1;
    writeFileSync(file, flipped);
    expect((await runWal('verify', '--config', copy.config)).code).toBe(0);
    const verdict = await runWal('verify', '--config', copy.config, '--deep', '--json');
    expect(verdict.code).toBe(8);
    expect(JSON.parse(verdict.stdout)).toMatchObject({ missing: [], damaged: [{ name }] });

    const data = prepareRecovery('stops', copy, ['recovery_target_timeline = 1']);
    const failure = await startOn(data).catch(ended);
    expect(failure).toContain('ARTIFACT_DAMAGED');
    expect(failure).toContain('shutting down due to startup process failure');
    expect(isPromoted(data)).toBe(false);
    // The same without it at all: what comes later shows that the log does not end there.
    rmSync(file);
    const gap = await startOn(data).catch(ended);
    expect(gap).toContain('WAL_SEGMENT_MISSING');
    expect(isPromoted(data)).toBe(false);
    writeFileSync(file, bytes);
    const mended = await startOn(data);
    expect(rowsOf(mended)).toBe(rowsOf(server));
    await mended.stop();
  });

  it('begins with the log that a base backup brings, when the archive begins behind it', async () => {
    addRows(80_001, 80_100);
    const streamed = takeBaseBackup('base-with-log', 'stream');
    addRows(80_101, 80_200);
    await archived(switchLog());
    const copy = copyArchive('behind');
    const brought = readdirSync(path.join(streamed, 'pg_wal')).filter((name) => /^[0-9A-F]{24}$/.test(name));
    expect(brought.length).toBeGreaterThan(0);
    const [last = ''] = brought.sort().slice(-1);
    const isOlder = (name: string) => /^[0-9A-F]{24}$/.test(name) && name.startsWith('00000001') && name <= last;
    for (const file of filesIn(copy.store)) if (isOlder(file.name)) rmSync(file.path);
    const recovering = { ...copy, base: streamed };
    const data = prepareRecovery('behind-data', recovering, ['recovery_target_timeline = 1']);
    const recovered = await startOn(data);
    expect(rowsOf(recovered)).toBe(rowsOf(server));
    await recovered.stop();
    // Without them, or with less than all of one, nothing may look like the end of the log.
    const cut = prepareRecovery('behind-cut', recovering, ['recovery_target_timeline = 1']);
    const file = path.join(cut, 'pg_wal', last);
    const bytes = readFileSync(file);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    writeFileSync(file, bytes.fill(0, end - 40));
    expect(await startOn(cut).catch(ended)).toContain('WAL_SEGMENT_MISSING');
    expect(isPromoted(cut)).toBe(false);
  });

  it.each([
    ['Node is missing', (script: string) => `${script.replace(/^exec \S+/m, "exec '/nonexistent/node'")}`],
    ['the program is missing', (script: string) => script.replace('backupx.mjs', 'gone.mjs')],
    ['Node cannot start', (script: string) => script.replace('exec ', 'NODE_OPTIONS=--require=/nonexistent exec ')],
  ])('stops when %s, and goes on when it is mended', async (what, breakIt) => {
    addRows(1_000_000 + restarts * 100, 1_000_050 + restarts * 100);
    restarts += 1;
    await archived(switchLog());
    const copy = copyArchive(`broken-${restarts}`);
    const whole = readFileSync(copy.script, 'utf8');
    writeFileSync(copy.script, breakIt(whole));
    expect(readFileSync(copy.script, 'utf8'), what).not.toBe(whole);
    const data = prepareRecovery(`broken-data-${restarts}`, copy, ['recovery_target_timeline = 1']);
    expect(await startOn(data).catch(ended)).toContain('shutting down due to startup process failure');
    expect(isPromoted(data)).toBe(false);
    writeFileSync(copy.script, whole);
    const mended = await startOn(data);
    expect(rowsOf(mended)).toBe(rowsOf(server));
    await mended.stop();
  });

  it('stops when the storage is away, when nothing is archived there, and when it is another cluster’s', async () => {
    const away = copyArchive('away');
    const disk = path.dirname(away.store);
    renameSync(disk, `${disk}.away`);
    const target = work.at('fetched');
    const ask = (config: string, ...more: string[]) =>
      runWal('fetch', '--config', config, ...more, newest(), target).then(({ code }) => code);
    expect(await ask(away.config)).toBe(200);
    expect(await ask(away.config, '--standby')).toBe(2);
    const data = prepareRecovery('unreachable', away, ['recovery_target_timeline = 1']);
    expect(await startOn(data).catch(ended)).toContain('STORAGE_CONFIG');
    expect(isPromoted(data)).toBe(false);
    mkdirSync(disk);
    expect(await ask(away.config)).toBe(200);
    // Not asked for in a way that is understood.
    expect((await runWal('fetch', '--conf', away.config)).code).toBe(200);
    expect((await runWal('fetch', '--config', work.at('none'), newest(), target)).code).toBe(200);
    expect(await ask(place.config)).toBe(1);
    expect(existsSync(target)).toBe(false);
  });
});

it('keeps what a server cannot archive, and has no gap when the storage is back', async () => {
  const disk = path.dirname(place.store);
  renameSync(disk, `${disk}.away`);
  const names = [1, 2, 3].map((step) => {
    addRows(100_000 + step * 100, 100_000 + step * 100 + 50);
    return switchLog();
  });
  const failures = () => Number(server.sql('SELECT failed_count FROM pg_stat_archiver'));
  await waitFor('a failure of the archiver', async () => failures() > 0);
  expect(server.sql('SELECT count(*) FROM pg_stat_archiver WHERE last_failed_wal IS NOT NULL').trim()).toBe('1');
  renameSync(`${disk}.away`, disk);
  addRows(200_000, 200_010);
  names.push(switchLog());
  for (const name of names) await archived(name);
  expect((await runWal('verify', '--config', place.config)).stdout).toContain('The archive is whole.');
  // What the archive has is what the server wrote.
  for (const name of names) {
    const fetched = work.at(`fetched-${name}`);
    expect((await runWal('fetch', '--config', place.config, name, fetched)).code).toBe(0);
    expect(readFileSync(fetched).equals(readFileSync(path.join(server.folder, 'data', 'pg_wal', name)))).toBe(true);
  }
  const log = readFileSync(place.at('log'), 'utf8');
  expect(log).toContain(`push pg_wal/${names[0]}`);
});

it('expires what the newest base backups do not need', async () => {
  const folder = work.at('expiring');
  mkdirSync(folder);
  const copy = makeWalPlace(folder);
  const next = takeBaseBackup('base-2');
  const label = /^START WAL LOCATION: .* \(file (\w+)\)$/m.exec(readFileSync(path.join(next, 'backup_label'), 'utf8'));
  const start = label?.[1] ?? '';
  await waitFor('the label in the archive', async () =>
    filesIn(place.store).some((file) => file.name.startsWith(`${start}.`) && file.name.endsWith('.backup')),
  );
  cpSync(place.store, copy.store, { recursive: true });
  const names = () => filesIn(copy.store).map((file) => file.name);
  const before = names();
  const expire = (...more: string[]) => runWal('expire', '--config', copy.config, '--json', ...more);
  const told = JSON.parse((await expire('--keep-backups', '1')).stdout);
  expect(names()).toEqual(before);
  expect(await expire('--keep-backups', '1', '--delete')).toMatchObject({ code: 0 });
  expect(names()).toEqual(before.filter((name) => !told.files.includes(name)));
  expect(told.files.length).toBeGreaterThan(3);
  expect(names()).toContain(start);
  expect(names()).toContain(HISTORY);
  expect((await runWal('verify', '--config', copy.config, '--from', start)).code).toBe(0);
  // A switch of a segment in which nothing was written is none.
  addRows(300_000, 300_010);
  expect((await expire('--before', switchLog())).code).toBe(13);
});

it.skipIf(!newer)('archives and recovers a newer PostgreSQL, too (needs the one of npm)', async () => {
  const folder = work.at('newer');
  mkdirSync(folder);
  const own = makeWalPlace(folder);
  const command = `archive_command='"${own.script}" wal push --config "${own.config}" %p'`;
  const programs = newer ?? '';
  const other = await startPostgresql({
    programs,
    initdb: ['--wal-segsize=1'],
    settings: ['archive_mode=on', 'hot_standby=off', command],
  });
  try {
    giveTo(other.folder, folder);
    other.sql('CREATE TABLE orders (id int PRIMARY KEY, note text)');
    // There are no client programs of that version: a copy of what a crash leaves is a base, too.
    await other.kill();
    const copy = work.at('newer-data');
    execFileSync('cp', ['-a', path.join(other.folder, 'data'), copy]);
    rmSync(path.join(copy, 'postmaster.pid'), { force: true });
    await other.start();
    other.sql('INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 10000) g');
    const last = switchLog(other);
    await waitFor(`${last} in the archive`, async () => filesIn(own.store).some(({ name }) => name === last), 60_000);
    const restore = `restore_command = '${restoreCommand(own.script, own.config)}'\narchive_mode = off\n`;
    appendFileSync(path.join(copy, 'postgresql.auto.conf'), restore);
    writeFileSync(path.join(copy, 'recovery.signal'), '');
    giveTo(other.folder, copy);
    const recovered = await startOn(copy, programs);
    try {
      expect(rowsOf(recovered)).toBe(rowsOf(other));
      expect(switchLog(recovered).slice(0, 8)).toBe('00000002');
    } finally {
      await recovered.stop();
    }
  } finally {
    await other.stop();
  }
  expect(await runWal('verify', '--config', own.config, '--deep')).toMatchObject({ code: 0 });
});

describe('another cluster', () => {
  it('is refused in the same place, and welcome in its own', async () => {
    const other = await startPostgresql({ ...(newer ? { programs: newer } : {}), initdb: ['--wal-segsize=1'] });
    try {
      const name = switchLog(other);
      const file = path.join(other.folder, 'data', 'pg_wal', name);
      const before = filesIn(place.store);
      const refused = await runWal('push', '--config', place.config, file);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('WAL_OTHER_CLUSTER') });
      expect(filesIn(place.store)).toEqual(before);
      const folder = work.at('own');
      mkdirSync(folder);
      const own = makeWalPlace(folder);
      expect((await runWal('push', '--config', own.config, file)).code).toBe(0);
      expect((await runWal('list', '--config', own.config)).stdout).toContain('segments of 1.0 MiB');
      // The log of one cluster is not brought into the other's.
      const target = path.join(other.folder, 'data', 'pg_wal', 'RECOVERYXLOG');
      const [known] = before.filter((item) => /^[0-9A-F]{24}$/.test(item.name));
      const fetched = await runWal('fetch', '--config', place.config, known?.name ?? '', target);
      expect(fetched).toMatchObject({ code: 200, stderr: expect.stringContaining('WAL_OTHER_CLUSTER') });
      expect(existsSync(target)).toBe(false);
    } finally {
      await other.stop();
    }
  });
});
