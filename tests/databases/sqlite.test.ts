import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { secretsBelow } from '../support/dump-faults.ts';
import { besideSmallDisk, mayMount } from '../support/faulty-runs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { makeWorkFolder } from '../support/work-folder.ts';
import { change, dump, makeDatabase } from './sqlite-samples.ts';

const work = makeWorkFolder('sqlite');
const runner = createRunner(work.at('temp'));
const srv = work.at('srv');
const children: ChildProcess[] = [];

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await runner.close();
  work.remove();
});

/** A process that runs `script` with node and is ready when it prints something. */
async function startNode(script: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', () => reject(new Error('the program ended before it was ready')));
  });
  return child;
}

/** Kills it, unless it has ended, and waits until it has. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

const settings = (databases: string[], more = {}) => ({ type: 'sqlite', config: { databases, ...more } });
const rightsOf = (file: string) => {
  const { mode, uid, gid, mtimeMs } = statSync(file);
  return { mode, uid, gid, mtimeMs: Math.round(mtimeMs) };
};
const leftovers = (folder: string) => readdirSync(folder).filter((name) => name.includes('backupx'));

describe.each(backupModes)('in mode %s', (mode) => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, mode);
  });
  beforeEach(() => rmSync(srv, { recursive: true, force: true }));

  it('brings databases of both journal modes back with all objects, owner, rights and time', async () => {
    const files = [
      path.join(srv, 'a/db.sqlite'),
      path.join(srv, 'b c=d/db.sqlite'),
      path.join(srv, `-h'"é%/db.sqlite`),
    ];
    for (const [index, file] of files.entries()) makeDatabase(file, index === 1 ? 'delete' : 'wal');
    chownSync(files[0] as string, 12345, 23456);
    chmodSync(files[0] as string, 0o640);
    utimesSync(files[0] as string, 1e9, 1_234_567_890);
    const before = files.map(dump);
    const rights = files.map(rightsOf);
    const source = settings([`${srv}/*/db.sqlite`]);
    const result = await jobs.backup(source);
    expect(result).toMatchObject({ status: 'success', problems: [] });
    for (const file of files.slice(0, 2)) change(file);
    rmSync(path.dirname(files[2] as string), { recursive: true });
    expect(files.slice(0, 2).map(dump)).not.toEqual(before.slice(0, 2));

    await expect(jobs.restore(source, result)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    const restored = await jobs.restore(source, result, { options: { replaceExisting: true } });
    expect(restored).toMatchObject({ status: 'success', itemsWritten: 3, problems: [] });
    expect(files.map(rightsOf)).toEqual(rights);
    expect(files.map(dump)).toEqual(before);
    expect(files.flatMap((file) => leftovers(path.dirname(file)))).toEqual([]);
    expect(secretsBelow(work.at('temp'))).toEqual([]);
  });

  it('restores into a folder, to other paths, and single databases', async () => {
    const [one, two] = [path.join(srv, 'one.db'), path.join(srv, 'deep/two.db')];
    makeDatabase(one, 'wal', 10);
    makeDatabase(two, 'delete', 10);
    const source = settings([one, two]);
    const result = await jobs.backup(source);
    const target = work.at(`target-${mode}`);
    mkdirSync(target);
    await jobs.restore(source, result, { targetPath: target });
    expect(readdirSync(path.join(target, srv)).sort()).toEqual(['deep', 'one.db']);
    expect(dump(path.join(target, one))).toBe(dump(one));
    await expect(jobs.restore(source, result, { targetPath: target, overwrite: 'never' })).rejects.toMatchObject({
      code: 'RESTORE_NOTHING_WRITTEN',
    });
    const rename = [`${one}=${srv}/new=/three.db`];
    const selected = await jobs.restore(source, result, { paths: [`/sqlite${one}`], options: { rename } });
    expect(selected).toMatchObject({ itemsWritten: 1 });
    expect(dump(path.join(srv, 'new=/three.db'))).toBe(dump(one));
    rmSync(two);
    await expect(
      jobs.restore(source, result, { paths: [`/sqlite${two}`], options: { rename: ['/no/such=/place'] } }),
    ).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    expect(existsSync(two)).toBe(false);
  });

  it('copies consistently beside busy writers of both journal modes', async () => {
    const files = ['delete', 'wal'].map((journal) => path.join(srv, `${journal}.db`));
    for (const file of files) {
      makeDatabase(file, file.includes('wal') ? 'wal' : 'delete', 20_000);
      await startNode(`
        import { DatabaseSync } from 'node:sqlite';
        const db = new DatabaseSync(${JSON.stringify(file)}, { timeout: 600_000 });
        db.exec('CREATE TABLE pairs(a, b)');
        console.log('ready');
        for (let i = 0; ; i += 1) {
          db.exec('BEGIN IMMEDIATE');
          db.prepare('INSERT INTO pairs VALUES (?, 0)').run(i);
          db.prepare('UPDATE child SET body = randomblob(50) WHERE id % 100 = ?').run(i % 100);
          db.prepare('UPDATE pairs SET b = a WHERE a = ?').run(i);
          db.exec('COMMIT');
        }`);
    }
    const result = await jobs.backup(settings(files));
    expect(result).toMatchObject({ status: 'success', problems: [] });
    for (const child of children.splice(0)) {
      // They were at work all the time.
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
      await kill(child);
    }
    const target = work.at(`busy-${mode}`);
    mkdirSync(target);
    await jobs.restore(settings(files), result, { targetPath: target });
    for (const file of files) {
      const db = new DatabaseSync(path.join(target, file));
      expect(db.prepare('SELECT count(*) AS n FROM pairs').get()?.n).toBeGreaterThan(0);
      expect(db.prepare('SELECT count(*) AS n FROM pairs WHERE a <> b').get()?.n).toBe(0);
      db.close();
    }
  });
});

describe('what is not as it should be', () => {
  let jobs: SourceJobs;
  beforeAll(async () => {
    jobs = await createSourceJobs(runner, work, 'archive');
  });
  beforeEach(() => rmSync(srv, { recursive: true, force: true }));

  it('saves what is there and names what is missing, encrypted, damaged or locked', async () => {
    const good = path.join(srv, 'good.db');
    makeDatabase(good, 'delete', 100);
    const missing = path.join(srv, 'missing.db');
    const secret = path.join(srv, 'secret.db');
    writeFileSync(secret, Buffer.alloc(8192, 'x9f'));
    const damaged = path.join(srv, 'damaged.db');
    makeDatabase(damaged, 'delete');
    const bytes = readFileSync(damaged);
    bytes.fill(0xaa, 4096 * 3, 4096 * 5);
    writeFileSync(damaged, bytes);
    const short = path.join(srv, 'short.db');
    makeDatabase(short, 'delete');
    truncateSync(short, 8192);
    const locked = path.join(srv, 'locked.db');
    makeDatabase(locked, 'delete', 10);
    const holder = new DatabaseSync(locked);
    holder.exec('BEGIN EXCLUSIVE');
    symlinkSync(good, path.join(srv, 'link.db'));
    const pattern = path.join(srv, 'none/*.db');
    const databases = [good, missing, secret, damaged, short, locked, path.join(srv, 'link.db'), pattern];
    const result = await jobs.backup(settings(databases, { lockWaitSeconds: 1 }));
    holder.close();
    expect(result.status).toBe('warning');
    const told = Object.fromEntries(result.problems.map((problem) => [problem.path, problem]));
    expect(Object.keys(told).sort()).toEqual([missing, secret, damaged, short, locked, pattern].sort());
    expect(told[missing]).toMatchObject({ code: 'vanished' });
    expect(told[secret]?.message).toContain('encrypted, or no SQLite database');
    expect(told[damaged]).toMatchObject({ code: 'unreadable', message: expect.stringContaining('damaged') });
    expect(told[short]?.message).toContain('damaged');
    expect(told[locked]?.message).toContain('held it locked');
    expect(existsSync(missing)).toBe(false);
    const target = work.at('partial');
    mkdirSync(target);
    expect(await jobs.restore(settings([good]), result, { targetPath: target })).toMatchObject({ itemsWritten: 1 });
    await expect(jobs.backup(settings([missing]))).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    await expect(jobs.backup(settings([secret]))).rejects.toMatchObject({ code: 'SOURCE_NOT_READABLE' });
  });

  it('warns of rows that break foreign keys and constraints, and keeps them', async () => {
    const file = path.join(srv, 'loose.db');
    makeDatabase(file, 'delete', 10);
    const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
    db.exec('INSERT INTO child(parent_id) VALUES (99), (98)');
    db.exec('CREATE TABLE c(n); INSERT INTO c VALUES (NULL)');
    db.enableDefensive(false);
    db.exec(`PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE c(n NOT NULL)' WHERE name = 'c'`);
    db.close();
    const result = await jobs.backup(settings([file]));
    expect(result).toMatchObject({ status: 'warning', problems: [{ path: file, code: 'inconsistent' }] });
    expect(result.problems[0]?.message).toMatch(/NULL value in c.n.*2 row\(s\).*child → parent/);
    const before = dump(file);
    rmSync(file);
    await jobs.restore(settings([file]), result);
    expect(dump(file)).toBe(before);
  });

  it('backs up a database with a half transaction of a killed program once it was opened again', async () => {
    const file = path.join(srv, 'hot.db');
    makeDatabase(file, 'delete', 5000);
    const before = dump(file);
    const child = await startNode(`
      import { DatabaseSync } from 'node:sqlite';
      const db = new DatabaseSync(${JSON.stringify(file)});
      db.exec('PRAGMA cache_size=5; BEGIN; UPDATE child SET body = zeroblob(60)');
      console.log('ready'); setInterval(() => {}, 1000);`);
    await kill(child);
    expect(existsSync(`${file}-journal`)).toBe(true);
    await expect(jobs.backup(settings([file]))).rejects.toMatchObject({
      message: expect.stringContaining('ended in the middle of a transaction'),
    });
    execFileSync('sqlite3', [file, 'SELECT 1 FROM child LIMIT 1']);
    const result = await jobs.backup(settings([file]));
    rmSync(file);
    await jobs.restore(settings([file]), result);
    expect(dump(file)).toBe(before);
  });

  it('refuses a restore while a program has the database open, and changes nothing', async () => {
    const file = path.join(srv, 'open.db');
    const other = path.join(srv, 'a-first.db');
    for (const each of [file, other]) makeDatabase(each, 'wal', 50);
    const source = settings([file, other]);
    const result = await jobs.backup(source);
    for (const each of [file, other]) change(each);
    const before = [file, other].map(dump);
    const child = await startNode(`
      import { DatabaseSync } from 'node:sqlite';
      const db = new DatabaseSync(${JSON.stringify(file)}); db.prepare('SELECT count(*) FROM parent').get();
      console.log('ready'); setInterval(() => {}, 1000);`);
    const options = { replaceExisting: true };
    await expect(jobs.restore(source, result, { options })).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      message: expect.stringContaining(`(process ${child.pid})`),
    });
    const entries = [file, other].map((each) => `/sqlite${each}.inventory.json`);
    const rename = [`${other}=${other}.copy`];
    const found = await runner.run({ kind: 'inspect_target', source, options: { rename }, entries });
    const session = { id: String(child.pid), user: '', address: '', program: expect.any(String), since: null };
    expect(found.databases).toEqual([
      { name: file, exists: true, sizeBytes: expect.any(Number), sessions: [session] },
      { name: `${other}.copy`, exists: false, sizeBytes: null, sessions: [] },
    ]);
    await kill(child);
    expect([file, other].map(dump)).toEqual(before);
    expect(leftovers(srv)).toEqual([]);
    expect(await jobs.restore(source, result, { options })).toMatchObject({ itemsWritten: 2 });
  });

  it('never lets an old log be played back into the restored database', async () => {
    const file = path.join(srv, 'wal.db');
    makeDatabase(file, 'wal', 200);
    const before = dump(file);
    const source = settings([file]);
    const result = await jobs.backup(source);
    // A program that is killed leaves what it committed in the log.
    const child = await startNode(`
      import { DatabaseSync } from 'node:sqlite';
      const db = new DatabaseSync(${JSON.stringify(file)});
      db.exec('UPDATE child SET body = zeroblob(70); DELETE FROM child WHERE id % 2 = 0');
      console.log('ready'); setInterval(() => {}, 1000);`);
    await kill(child);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    copyFileSync(`${file}-wal`, work.at('old-wal'));
    await jobs.restore(source, result, { options: { replaceExisting: true } });
    expect(dump(file)).toBe(before);
    // Also when the database itself is gone and only its log is there.
    rmSync(file);
    copyFileSync(work.at('old-wal'), `${file}-wal`);
    await jobs.restore(source, result);
    expect(dump(file)).toBe(before);
    // And when it is too broken to be opened.
    writeFileSync(file, 'broken');
    copyFileSync(work.at('old-wal'), `${file}-wal`);
    await jobs.restore(source, result, { options: { replaceExisting: true } });
    expect(dump(file)).toBe(before);
    expect(leftovers(srv)).toEqual([]);
  });

  it('clears what killed restores left, but no log that the database in the place may need', async () => {
    const file = path.join(srv, 'killed.db');
    makeDatabase(file, 'wal', 20);
    const before = dump(file);
    const source = settings([file]);
    const result = await jobs.backup(source);
    const left = (name: string) => path.join(srv, `.killed.db.backupx-${name}`);
    linkSync(file, left('old-4000000.1'));
    writeFileSync(left('old-4000000.1-wal'), 'what the broken database could not take in');
    copyFileSync(file, left('old-4000000.2'));
    writeFileSync(left('old-4000000.2-wal'), 'of a database that was replaced');
    writeFileSync(left('new-4000000.3'), 'half');
    const options = { replaceExisting: true };
    await jobs.restore(source, result, { options });
    expect(leftovers(srv).sort()).toEqual(['.killed.db.backupx-old-4000000.1', '.killed.db.backupx-old-4000000.1-wal']);
    await jobs.restore(source, result, { options });
    expect(leftovers(srv)).toEqual([]);
    expect(dump(file)).toBe(before);
  });

  it.skipIf(!mayMount)(
    'leaves nothing where there is no room for the copy or the restored file (needs root)',
    async () => {
      const file = path.join(srv, 'large.db');
      makeDatabase(file, 'delete', 20_000);
      const small = work.at('small');
      await besideSmallDisk(small, '2m', async () => {
        const poor = createRunner(small);
        const poorJobs = await createSourceJobs(poor, work, 'archive');
        await expect(poorJobs.backup(settings([file]))).rejects.toMatchObject({
          code: 'SOURCE_NOT_READABLE',
          message: expect.stringContaining('MB are free'),
        });
        await poor.close();
        expect(secretsBelow(small)).toEqual([]);
        const result = await jobs.backup(settings([file]));
        // Its own place on the small disk.
        const options = { rename: [`${file}=${small}/deep/er/large.db`] };
        await expect(jobs.restore(settings([file]), result, { options })).rejects.toThrow(/ENOSPC/);
        expect(readdirSync(small).filter((name) => name.startsWith('deep'))).toEqual([]);
      });
    },
  );
});
