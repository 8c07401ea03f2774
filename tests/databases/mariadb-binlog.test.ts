/** The archive of MariaDB's binary log: received, killed, gone on with; replayed up to a moment; damage found. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs } from '../support/source-jobs.ts';
import { findTools, watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../apps/cli/bin/backupx.mjs');
const PASSWORD = `p:\\ "'#ü x`;
/** Far more than it takes, also on a machine that is busy. */
const STEP_MS = 60_000;
const work = makeWorkFolder('mariadb-binlog');
const runner = createRunner(work.at('temp'));
const receivers = new Set<ChildProcess>();
let server: Mariadb;
let count = 0;
/** Of the test that runs: a prefix and a spool of its own. */
let config: string;
let prefix: string;

beforeAll(async () => {
  mkdirSync(work.at('disk'));
  writeFileSync(work.at('no-folder'), '');
  pointStoreAt('disk');
  server = await startMariadb();
  server.sql(`CREATE USER reader@'127.0.0.1' IDENTIFIED BY '${PASSWORD.replaceAll(/['\\]/g, '\\$&')}';
    GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO reader@'127.0.0.1';
    CREATE USER weak@'127.0.0.1'; GRANT BINLOG MONITOR ON *.* TO weak@'127.0.0.1';
    CREATE DATABASE shop; CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)`);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});
beforeEach(() => {
  count += 1;
  prefix = `logs-${count}`;
  config = writeConfig();
});
afterEach(async () => {
  for (const receiver of receivers) await end(receiver, 'SIGKILL');
});

/** In one step: between two a receiver would make a folder of its own there. */
function pointStoreAt(name: 'disk' | 'no-folder'): void {
  symlinkSync(work.at(name), work.at('store.next'));
  renameSync(work.at('store.next'), work.at('store'));
}

function writeConfig(more: Record<string, string> = {}): string {
  const file = work.at(`binlog-${count}-${Object.keys(more).join('-')}.conf`);
  const settings = {
    ...{ storage: 'local_disk', 'storage.basePath': work.at('store'), prefix, spool_folder: work.at(`spool-${count}`) },
    ...{ host: '127.0.0.1', port: String(server.port), user: 'reader', password: PASSWORD },
    ...{ partial_interval_seconds: '1', target_socket: server.socket, target_user: 'root', ...more },
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(file, lines.join(''), { mode: 0o600 });
  return file;
}

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly messages: string;
}

async function call(...args: string[]): Promise<Answer> {
  const [word = '', ...rest] = args;
  const child = spawn(process.execPath, [PROGRAM, 'binlog', word, '--config', config, ...rest], { timeout: STEP_MS });
  let [text, messages] = ['', ''];
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (messages += chunk));
  const code = await new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? -1)));
  return { code, text, messages };
}

function receive(): ChildProcess & { said: string } {
  const child = Object.assign(spawn(process.execPath, [PROGRAM, 'binlog', 'receive', '--config', config]), {
    said: '',
  });
  const note = (chunk: Buffer) => {
    child.said += chunk;
  };
  child.stdout.on('data', note);
  child.stderr.on('data', note);
  receivers.add(child);
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  receivers.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill(signal);
  await closed;
  return child.exitCode;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + STEP_MS;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const archived = (): string[] =>
  readdirSync(work.at('store', prefix), { withFileTypes: true })
    .filter((item) => item.isFile() && item.name.endsWith('.json'))
    .map(({ name }) => name.slice(0, 10))
    .sort();
const isArchived = (name: string) => () => {
  try {
    return archived().includes(name);
  } catch {
    return false;
  }
};
/** The server hears late that nobody listens any more, and only then removes what it was sending. */
function endReaders(): void {
  const readers = server.sql(`SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'`);
  // It is no matter when one has ended meanwhile.
  for (const id of readers.split('\n').filter(Boolean)) server.tryTo(`KILL ${id}`);
}
const current = (): string => server.sql('SHOW MASTER STATUS').split('\t')[0] ?? '';
const position = (): string => server.sql('SHOW MASTER STATUS').split('\t').slice(0, 2).join(':');
const onServer = (): string[] =>
  server
    .sql('SHOW BINARY LOGS')
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
    .filter(Boolean);
const add = (rows: number) => server.sql(`INSERT INTO t (v) SELECT seq FROM seq_1_to_${rows}`, 'shop');
const rotate = () => server.sql('FLUSH BINARY LOGS');
const rowsOf = (table = 'shop.t') => server.sql(`SELECT COUNT(*), COALESCE(SUM(v), 0) FROM ${table}`).trim();

/** Has everything up to now in the archive. */
async function archiveAll(): Promise<void> {
  const receiver = receive();
  rotate();
  const [last = ''] = onServer().slice(-2);
  await until(`${last} in the archive`, isArchived(last));
  expect(await end(receiver, 'SIGTERM')).toBe(0);
}

describe('a receiver', () => {
  it('goes on without a gap, however it or the server ended; its password is seen by nobody', async () => {
    const watch = watchTools(work.at(`spool-${count}`));
    const first = receive();
    add(50);
    const [one = ''] = [current()];
    rotate();
    await until(`${one} in the archive`, isArchived(one));
    await end(first, 'SIGKILL');
    await until('the end of its program', () => findTools(work.at(`spool-${count}`)).length === 0);
    add(50);
    rotate();
    rotate();
    const second = receive();
    const two = onServer().at(-2) ?? '';
    await until(`${two} in the archive`, isArchived(two));
    const three = current();
    await server.kill();
    await server.start();
    add(10);
    await until(`${three} in the archive`, isArchived(three));
    const four = current();
    add(7);
    // The server notes by and by what it needs of older logs.
    let size = 0;
    await until('the log that is written', () => {
      size = Number(position().split(':')[1]);
      return second.said.includes(`${four}: ${size} bytes stored`);
    });
    expect(await end(second, 'SIGTERM')).toBe(0);
    const seen = watch.stop();
    expect(seen.some(({ commandLine }) => commandLine.includes('mariadb-binlog'))).toBe(true);
    for (const { commandLine, environment } of seen)
      expect(`${commandLine}${environment}`).not.toContain(PASSWORD.slice(0, 4));
    expect(archived()).toEqual(onServer().slice(0, -1));
    expect((await call('verify')).text).toContain('The archive is whole.');
    const { logs, missing } = JSON.parse((await call('list', '--json')).text);
    expect(missing).toEqual([]);
    expect(logs.at(-1)).toMatchObject({ name: four, sizeBytes: size, isPartial: true });
    expect(logs.at(-1).gtids).toEqual([server.sql('SELECT @@gtid_binlog_pos').trim()]);
    // The same events as on the server: all but the mark of a file in use.
    for (const log of logs.slice(0, -1)) {
      expect(log.sizeBytes).toBe(readFileSync(path.join(server.folder, 'data', log.name)).length);
    }
    expect(readdirSync(work.at(`spool-${count}`)).sort()).toEqual(['archive', 'tmp']);
  });

  it('says loudly what the server has removed before it came', async () => {
    await archiveAll();
    add(1);
    rotate();
    add(1);
    rotate();
    const [lost = ''] = onServer().slice(-2);
    await until('the end of old connections', () => {
      endReaders();
      server.sql(`PURGE BINARY LOGS TO '${current()}'`);
      return onServer().length === 1;
    });
    const answer = await call('receive');
    expect(answer.code).toBe(8);
    expect(answer.messages).toContain('Binary logs are missing');
    expect(answer.messages).toContain(lost);
    const receiver = spawn(process.execPath, [PROGRAM, 'binlog', 'receive', '--accept-gap', '--config', config]);
    receivers.add(receiver);
    const next = current();
    rotate();
    await until(`${next} in the archive`, isArchived(next));
    await end(receiver, 'SIGTERM');
    expect(await call('verify')).toMatchObject({ code: 8, text: expect.stringContaining('missing: ') });
    const refused = await call('replay', '--from', `${archived()[0]}:4`, '--dry-run');
    expect(refused).toMatchObject({ code: 8, messages: expect.stringContaining('Binary logs are missing') });
  });

  it('keeps receiving while the storage is away, up to its limit, and catches up', async () => {
    config = writeConfig({ spool_limit_bytes: String(2 ** 20) });
    const receiver = receive();
    rotate();
    await until('the first log', isArchived(onServer().at(-2) ?? ''));
    pointStoreAt('no-folder');
    const lost = () => receiver.said.includes('It is tried again');
    await until('the failure', () => {
      rotate();
      return lost();
    });
    expect(receiver.exitCode).toBe(null);
    await until('the alarm', () => {
      add(20_000);
      rotate();
      return receiver.said.includes('ALARM');
    });
    pointStoreAt('disk');
    add(3);
    rotate();
    const last = onServer().at(-2) ?? '';
    await until(`${last} in the archive`, isArchived(last));
    expect(await end(receiver, 'SIGTERM')).toBe(0);
    expect(await call('verify')).toMatchObject({ code: 0 });
  });

  it('stores what a killed one had not, though the server has it no more', async () => {
    await archiveAll();
    const first = receive();
    await until('the first one', () => first.said.includes('Following MariaDB'));
    pointStoreAt('no-folder');
    add(5);
    const kept = current();
    rotate();
    add(6);
    const size = Number(position().split(':')[1]);
    const spooled = () => readdirSync(work.at(`spool-${count}`)).includes(current());
    await until('the log in the spool', () => spooled() && statSync(work.at(`spool-${count}`, current())).size >= size);
    await end(first, 'SIGKILL');
    await until('the end of its program', () => findTools(work.at(`spool-${count}`)).length === 0);
    const open = current();
    rotate();
    pointStoreAt('disk');
    await until('the end of old connections', () => {
      endReaders();
      server.sql(`PURGE BINARY LOGS TO '${open}'`);
      return !onServer().includes(kept);
    });
    const second = receive();
    await until(`${kept} and ${open} in the archive`, () => isArchived(kept)() && isArchived(open)());
    expect(await end(second, 'SIGTERM')).toBe(0);
    expect(await call('verify')).toMatchObject({ code: 0 });
  });

  it('does not take the logs of another server, though they go on by their names', async () => {
    await archiveAll();
    const [last = ''] = archived().slice(-1);
    const other = await startMariadb();
    try {
      other.sql('CREATE DATABASE elsewhere');
      const newest = () => other.sql('SHOW MASTER STATUS').split('\t')[0] ?? '';
      while (newest() <= last) other.sql('CREATE TABLE elsewhere.t (v INT); DROP TABLE elsewhere.t; FLUSH BINARY LOGS');
      other.sql(`PURGE BINARY LOGS TO '${newest()}'; FLUSH BINARY LOGS`);
      config = writeConfig({ user: 'root', password: '', socket: other.socket });
      const refused = await call('receive');
      expect(refused).toMatchObject({ code: 2, messages: expect.stringContaining(last) });
    } finally {
      await other.stop();
    }
    expect(archived().at(-1)).toBe(last);
  });

  it.each([
    ['a wrong password', { password: 'wrong' }, 'refused the login'],
    ['a user without the right', { user: 'weak', password: '' }, 'REPLICATION SLAVE'],
  ])('ends at once with %s', async (_, more, message) => {
    config = writeConfig(more as Record<string, string>);
    expect(await call('receive')).toMatchObject({ code: 5, messages: expect.stringContaining(message) });
  });

  it('waits for a server that is not there', async () => {
    config = writeConfig({ user: 'root', password: '', socket: '/nonexistent' });
    const receiver = receive();
    await until('its words', () => receiver.said.includes('Going on in 1 s'));
    expect(await end(receiver, 'SIGTERM')).toBe(0);
  });

  it('is alone in its spool', async () => {
    const first = receive();
    await until('the first one', () => first.said.includes('Following MariaDB'));
    expect(await call('receive')).toMatchObject({ code: 11, messages: expect.stringContaining('another receiver') });
    await end(first, 'SIGTERM');
  });
});

describe('a restore to a point in time', () => {
  const source = (type: string) => ({ type, config: { dbSocket: server.socket, dbUser: 'root' } });

  it('brings back what was there before a DROP: dump, then logs', async () => {
    const jobs = await createSourceJobs(runner, work, 'archive');
    add(20);
    const dump = await jobs.backup(source('mysql'));
    add(30);
    rotate();
    server.sql(`CREATE TABLE shop.later (v INT); INSERT INTO shop.later VALUES (1), (2)`);
    const [before, place] = [rowsOf(), position()];
    server.sql('DROP DATABASE shop');
    await archiveAll();
    const folder = work.at(`pit-${count}`);
    await jobs.restore(source('mysql'), dump, { targetPath: folder });
    const inventory = path.join(folder, 'mysql/shop/inventory.json');
    await jobs.restore(source('mysql'), dump, { options: {} });
    const wish = ['--inventory', inventory, '--until-position', place];
    const planned = JSON.parse((await call('replay', ...wish, '--dry-run', '--json')).text);
    expect(planned.ranges.at(-1)).toMatchObject({ name: place.split(':')[0], to: Number(place.split(':')[1]) });
    expect(planned.ranges.length).toBe(2);
    expect(rowsOf()).not.toBe(before);
    const watch = watchTools(work.at(`spool-${count}`));
    const done = await call('replay', ...wish);
    expect(done).toMatchObject({ code: 0, text: expect.stringContaining('All of it was replayed.') });
    for (const { commandLine } of watch.stop()) expect(commandLine).not.toContain(PASSWORD.slice(0, 4));
    expect(rowsOf()).toBe(before);
    expect(rowsOf('shop.later')).toBe('2\t3');

    // What comes before the dump may go; from the dump on it can be replayed as before.
    const kept = /"binlogFile": "(bin\.\d+)"/.exec(readFileSync(inventory, 'utf8'))?.[1] ?? '';
    const all = archived();
    const told = JSON.parse((await call('expire', '--inventory', inventory, '--json')).text);
    expect(told).toMatchObject({ keptFrom: kept, logs: all.filter((name) => name < kept), isDeleted: false });
    expect(archived()).toEqual(all);
    expect(await call('expire', '--inventory', inventory, '--delete')).toMatchObject({ code: 0 });
    expect(archived()).toEqual(all.filter((name) => name >= kept));
    expect(await call('verify')).toMatchObject({ code: 0 });
    expect(await call('replay', ...wish, '--dry-run')).toMatchObject({ code: 0 });
  });

  it('by time, into another database', async () => {
    server.sql(
      'CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE IF NOT EXISTS shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)',
    );
    const place = position();
    server.sql('SET TIMESTAMP = 1000000000; CREATE TABLE timed (v INT); INSERT INTO timed VALUES (1)', 'shop');
    server.sql('SET TIMESTAMP = 2000000000; INSERT INTO timed VALUES (2)', 'shop');
    await archiveAll();
    server.sql('CREATE DATABASE shop2');
    // The log was begun today, and the program stops there: what is older in it would be left out.
    const before = ['replay', '--from', place, '--until', '2010-01-01T00:00:00Z', '--database', 'shop'] as const;
    expect(await call(...before)).toMatchObject({ code: 2, messages: expect.stringContaining('--until') });
    const answer = await call(
      'replay',
      '--from',
      place,
      '--until',
      '2033-05-18T03:33:20Z',
      '--rewrite-db',
      'shop->shop2',
      '--database',
      'shop',
    );
    expect(answer).toMatchObject({ code: 0 });
    expect(rowsOf('shop2.timed')).toBe('1\t1');
    server.sql('DROP DATABASE shop2; DROP TABLE shop.timed');
  });

  it('under another name only where that is meant, and where statements leave the name open', async () => {
    server.sql('CREATE DATABASE IF NOT EXISTS shop; CREATE DATABASE copy');
    const place = position();
    server.sql('CREATE TABLE named (v INT); INSERT INTO named VALUES (1)', 'shop');
    const half = position();
    server.sql('INSERT INTO named VALUES (2); CREATE TABLE shop.other (v INT)', 'shop');
    await archiveAll();
    const rename = (...more: string[]) => call('replay', '--from', place, '--rewrite-db', 'shop->copy', ...more);
    const tables = () => server.sql('SHOW TABLES FROM copy').trim();
    const refused = await rename('--same-server');
    expect(refused).toMatchObject({ code: 13, messages: expect.stringContaining(half.split(':')[0] ?? '?') });
    expect(tables()).toBe('');
    // No target is set: that would be the server of the logs.
    const named = config;
    writeFileSync(
      named,
      readFileSync(named, 'utf8')
        .replaceAll(/^target_.*\n/gm, '')
        .replace(/^user = .*$/m, 'user = root')
        .replace(/^password = .*\n/m, '')
        .replace(/^host = .*$/m, `socket = ${server.socket}`),
    );
    expect(await rename('--until-position', half)).toMatchObject({
      code: 2,
      messages: expect.stringContaining('--same-server'),
    });
    expect(tables()).toBe('');
    expect(await rename('--until-position', half, '--same-server')).toMatchObject({ code: 0 });
    expect(rowsOf('copy.named')).toBe('1\t1');
    server.sql('DROP DATABASE copy; DROP TABLE shop.named, shop.other');
  });

  it('says that the archive ends before the moment, or begins behind it', async () => {
    const place = position();
    server.sql('CREATE TABLE shop.late (v INT)');
    await archiveAll();
    server.sql('DROP TABLE shop.late');
    const late = ['replay', '--from', place, '--until', '2037-01-01T00:00:00Z'] as const;
    expect(await call(...late)).toMatchObject({ code: 8, messages: expect.stringContaining('The archive ends at') });
    const early = await call('replay', '--from', place, '--until', '2020-01-01T00:00:00Z');
    expect(early).toMatchObject({ code: 2, messages: expect.stringContaining('--until') });
    expect(server.sql(`SHOW TABLES FROM shop LIKE 'late'`)).toBe('');
    const all = await call(...late, '--accept-end');
    expect(all).toMatchObject({
      code: 0,
      text: expect.stringMatching(/The archive ends at .*\nAll of it was replayed/),
    });
    expect(rowsOf('shop.late')).toBe('0\t0');
    server.sql('DROP TABLE shop.late');
  });

  it('stops at the first error, and before a place that is none', async () => {
    const place = position();
    server.sql('CREATE TABLE shop.gone (v INT); INSERT INTO shop.gone VALUES (1); CREATE TABLE shop.after_it (v INT)');
    await archiveAll();
    server.sql('DROP TABLE shop.after_it');
    const answer = await call('replay', '--from', place);
    expect(answer.code).not.toBe(0);
    expect(answer.messages).toContain('already exists');
    expect(server.sql(`SHOW TABLES FROM shop LIKE 'after_it'`)).toBe('');
    const [file = '', at = ''] = place.split(':');
    const between = await call('replay', '--from', `${file}:${Number(at) + 1}`);
    expect(between).toMatchObject({ code: 8, messages: expect.stringContaining('no event begins at') });
    expect(await call('replay', '--from', 'bin.000000:4')).toMatchObject({ code: 6 });
    server.sql('DROP TABLE shop.gone');
  });
});

it('finds a flipped byte, and replays nothing then; takes encrypted logs', async () => {
  const key = work.at('key.txt');
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
  const recipient = /public key: (\S+)/.exec(readFileSync(key, 'utf8'))?.[1] ?? '';
  config = writeConfig({ encryption_recipients: recipient, encryption_identities: `@${key}` });
  const place = position();
  add(100);
  await archiveAll();
  expect(await call('verify')).toMatchObject({ code: 0 });
  const store = work.at('store', prefix);
  const [file = ''] = readdirSync(store).filter(
    (name) => name.startsWith(place.split(':')[0] ?? '') && name.endsWith('.zst.age'),
  );
  const bytes = readFileSync(path.join(store, file));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path.join(store, file), bytes);
  expect(await call('verify')).toMatchObject({ code: 8, text: expect.stringContaining('damaged: bin.') });
  const before = rowsOf();
  expect((await call('replay', '--from', place)).code).not.toBe(0);
  expect(rowsOf()).toBe(before);
  rmSync(path.join(store, file.replace('.zst.age', '.json')));
  expect((await call('replay', '--from', place)).code).toBe(6);
});
