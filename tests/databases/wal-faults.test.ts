/** Archiving PostgreSQL's log under kills, full disks and wrong input, and the receiver through crashes of both sides. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { createEngine } from '@backupx/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { startRadosGateway } from '../servers/radosgw.ts';
import { waitFor } from '../support/start-program.ts';
import { findTools } from '../support/tool-watch.ts';
import { filesIn, makeSegment, makeWalPlace, runWal, segmentNameOf, sha256Of, startWal } from '../support/wal-place.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const KILLS = Math.max(24, Math.ceil(Number(process.env.BACKUPX_TEST_KILLS ?? 0) * 0.05));
const work = makeWorkFolder('wal-faults');
let places = 0;
/** A disk that is soon full. */
const mount = work.at('small');
mkdirSync(mount);
const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'backupx-tests', mount]).status === 0;
afterAll(() => {
  if (isMounted) spawnSync('umount', [mount]);
  work.remove();
});

function newPlace(lines: readonly string[] = []) {
  const folder = work.at(`place-${++places}`);
  mkdirSync(folder);
  return makeWalPlace(folder, lines);
}

/** A segment on disk, ready to be pushed. */
function segmentFile(number: number, options: { seed?: number; cluster?: bigint; folder?: string } = {}): string {
  const folder = options.folder ?? work.at('pg_wal');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, segmentNameOf(number));
  writeFileSync(file, makeSegment(number, options));
  return file;
}

describe('push', () => {
  it('leaves nothing that looks whole when it is killed at any moment, and can always be repeated', async () => {
    const place = newPlace();
    const files = Array.from({ length: KILLS }, (_, index) => segmentFile(index + 1));
    const sums = new Set(files.map((file) => `${path.basename(file)} ${sha256Of(file)}`));
    let killed = 0;
    const runOne = async (file: string, afterMs: number) => {
      const { child, ended } = startWal(['push', '--config', place.config, file]);
      const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
      const { code } = await ended;
      clearTimeout(timer);
      if (code === 137) killed += 1;
      else expect(code).toBe(0);
      // What a listing shows is whole, whoever was killed when.
      for (const stored of filesIn(place.store)) expect(sums).toContain(`${stored.name} ${stored.sha256}`);
    };
    // From the start of the program to after its end, on any machine: the longer it takes, the later the kills.
    const startedMs = performance.now();
    await runOne(files[0] ?? '', 60_000);
    const wholeMs = performance.now() - startedMs;
    for (let at = 1; at < files.length; at += 2) {
      const pair = files.slice(at, at + 2);
      await Promise.all(pair.map((file, index) => runOne(file, (wholeMs * (at + index)) / (files.length * 0.8))));
    }
    expect(killed).toBeGreaterThan(0);
    const halfway = filesIn(place.store);
    expect((await runWal('verify', '--config', place.config, '--deep', '--json')).stdout).toContain('"damaged": []');
    for (let at = 0; at < files.length; at += 4) {
      const ends = await Promise.all(
        files.slice(at, at + 4).map((file) => runWal('push', '--config', place.config, file)),
      );
      expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 0));
    }
    expect(filesIn(place.store).length).toBe(files.length);
    expect(halfway.length).toBeLessThanOrEqual(files.length);
    expect(await runWal('verify', '--config', place.config, '--deep')).toMatchObject({ code: 0 });
  });

  it('ends at SIGTERM with a code that lets the archiver live, and stores nothing', async () => {
    const place = newPlace();
    // The level makes it take long enough to be met in the middle.
    const slow = newPlace(['compression_level = 19', `storage.basePath = ${place.store}`]);
    const folder = work.at('large');
    const file = segmentFile(16, { folder });
    const large = Buffer.concat(Array.from({ length: 64 }, (_, index) => makeSegment(index + 1024)));
    makeSegment(0).copy(large, 0, 0, 40);
    large.writeUInt32LE(large.length, 32);
    large.writeBigUInt64LE(BigInt(16 * large.length), 8);
    writeFileSync(file, large);
    const { child, ended } = startWal(['push', '--config', slow.config, file]);
    await waitFor(
      'the first bytes on disk',
      async () => existsSync(place.store) && readdirSync(place.store).length > 1,
    );
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('CANCELLED')]);
    expect(filesIn(place.store)).toEqual([]);
  });

  it('says what is wrong with its input, and changes nothing', async () => {
    const place = newPlace();
    const good = segmentFile(1);
    const push = (...args: string[]) => runWal('push', '--config', place.config, ...args);
    expect((await push(good)).code).toBe(0);
    expect((await push(good)).code).toBe(0);
    const before = filesIn(place.store);
    const other = segmentFile(1, { seed: 77, folder: work.at('other') });
    const foreign = segmentFile(2, { cluster: 5n });
    const renamed = path.join(work.at('pg_wal'), segmentNameOf(9));
    writeFileSync(renamed, readFileSync(good));
    const short = path.join(work.at('pg_wal'), segmentNameOf(8));
    writeFileSync(short, makeSegment(8).subarray(0, 500_000));
    const text = path.join(work.at('pg_wal'), 'notes.txt');
    writeFileSync(text, 'x');
    const cases: [string, string][] = [
      [other, 'WAL_CONFLICT'],
      [foreign, 'WAL_OTHER_CLUSTER'],
      [renamed, 'another place'],
      [short, '500000 bytes'],
      [text, 'its name is not'],
      [work.at('missing'), 'its name is not'],
      [work.at('pg_wal', segmentNameOf(4000)), 'ENOENT'],
      [work.path, 'its name is not'],
    ];
    for (const [file, words] of cases) {
      const { code, stderr } = await push(file);
      expect(stderr).toContain(words);
      expect([1, 2]).toContain(code);
    }
    expect((await push()).code).toBe(2);
    expect((await runWal('push', '--config', work.at('none.conf'), good)).code).toBe(2);
    chmodSync(place.config, 0o644);
    writeFileSync(place.config, `${readFileSync(place.config, 'utf8')}encryption_identities = AGE-SECRET-KEY-1X\n`);
    expect((await push(good)).stderr).toContain('chmod 600');
    expect(filesIn(place.store)).toEqual(before);
  });

  it('encrypts; without the key it archives the same file again, but brings none back', async () => {
    const engine = createEngine({ tempDir: work.at('engine') });
    const { identity, recipient } = await engine.createEncryptionKey();
    await engine.close(1000);
    const place = newPlace([`encryption_recipients = ${recipient}`]);
    const file = segmentFile(1);
    for (const _ of [1, 2]) expect((await runWal('push', '--config', place.config, file)).code).toBe(0);
    const [stored] = filesIn(place.store);
    expect(readFileSync(stored?.path ?? '').toString('latin1', 0, 21)).toBe('age-encryption.org/v1');
    const target = place.at('back');
    const fetch = () => runWal('fetch', '--config', place.config, segmentNameOf(1), target);
    expect(await fetch()).toMatchObject({ code: 200, stderr: expect.stringContaining('ARTIFACT_KEY_MISSING') });
    const blind = await runWal('verify', '--config', place.config, '--deep');
    expect([blind.code, blind.stdout]).toEqual([8, expect.stringContaining('not checked')]);
    writeFileSync(place.at('key'), `${identity}\n`, { mode: 0o600 });
    writeFileSync(place.config, `${readFileSync(place.config, 'utf8')}encryption_identities = @${place.at('key')}\n`);
    expect((await fetch()).code).toBe(0);
    expect(readFileSync(target).equals(readFileSync(file))).toBe(true);
    expect((await runWal('verify', '--config', place.config, '--deep')).stdout).not.toContain('not checked');
  });

  it.skipIf(!isMounted)('fails when the storage is full, and goes on when there is room', async () => {
    const place = newPlace([`storage.basePath = ${path.join(mount, 'store')}`]);
    const filler = path.join(mount, 'filler');
    const push = (number: number) => runWal('push', '--config', place.config, segmentFile(number));
    expect((await push(1)).code).toBe(0);
    writeFileSync(filler, Buffer.alloc(1_700_000));
    expect(await push(2)).toMatchObject({ code: 1, stderr: expect.stringContaining('STORAGE_FULL') });
    expect(filesIn(path.join(mount, 'store')).length).toBe(1);
    rmSync(filler);
    expect((await push(2)).code).toBe(0);
    expect((await runWal('verify', '--config', place.config, '--deep')).code).toBe(0);
    const target = path.join(mount, 'back');
    writeFileSync(filler, Buffer.alloc(700_000));
    const fetched = await runWal('fetch', '--config', place.config, segmentNameOf(1), target);
    expect([fetched.code, readdirSync(mount).sort()]).toEqual([200, ['filler', 'store']]);
  });
});

describe('on an S3 server', () => {
  const s3Lines = (endpoint: string, keys: { accessKeyId: string; secretAccessKey: string; bucket: string }) => [
    'storage = s3',
    `storage.endpoint = ${endpoint}`,
    `storage.bucket = ${keys.bucket}`,
    'storage.forcePathStyle = true',
    `storage.accessKeyId = ${keys.accessKeyId}`,
    `storage.secretAccessKey = ${keys.secretAccessKey}`,
    'prefix = wal/shop',
  ];

  it('archives, refuses, brings back and expires', async () => {
    const s3 = await startRadosGateway();
    try {
      const place = newPlace(s3Lines(s3.endpoint, s3));
      const wal = (...words: [string, ...string[]]) => runWal(words[0], '--config', place.config, ...words.slice(1));
      for (const number of [1, 2, 1]) expect((await wal('push', segmentFile(number))).code).toBe(0);
      const other = segmentFile(1, { seed: 9, folder: work.at('other') });
      expect((await wal('push', other)).stderr).toContain('WAL_CONFLICT');
      expect((await wal('fetch', segmentNameOf(2), place.at('back'))).code).toBe(0);
      expect(readFileSync(place.at('back')).equals(makeSegment(2))).toBe(true);
      expect((await wal('fetch', segmentNameOf(3), place.at('none'))).code).toBe(1);
      expect((await wal('expire', '--before', segmentNameOf(2), '--delete')).code).toBe(0);
      const verdict = await wal('verify', '--deep', '--json');
      expect(JSON.parse(verdict.stdout)).toMatchObject({ isWhole: true, segments: 1, first: segmentNameOf(2) });
    } finally {
      await s3.stop();
    }
  });

  it('does not wait for a storage for ever', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = silent.address() as AddressInfo;
      const keys = { accessKeyId: 'a', secretAccessKey: 'b', bucket: 'bucket' };
      const place = newPlace([...s3Lines(`http://127.0.0.1:${port}`, keys), 'time_limit_seconds = 1']);
      const pushed = await runWal('push', '--config', place.config, segmentFile(1));
      expect(pushed).toMatchObject({ code: 124, stderr: expect.stringContaining('TIMEOUT') });
      const fetched = await runWal('fetch', '--config', place.config, segmentNameOf(1), place.at('back'));
      expect(fetched).toMatchObject({ code: 200, stderr: expect.stringContaining('TIMEOUT') });
    } finally {
      silent.close();
    }
  });
});

describe('receive', () => {
  let server: Postgresql;
  beforeAll(async () => {
    server = await startPostgresql({
      settings: ['wal_keep_size=512MB', 'wal_level=replica'],
      initdb: ['--wal-segsize=1'],
    });
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('receives no more than the spool may hold while the storage is away, and then catches up', async () => {
    const place = newPlace();
    const spool = place.at('spool');
    const flags = loginTo(server, place, 'bounded');
    const active = () => server.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'bounded'").trim();
    const limit = ['--spool', spool, '--spool-limit', '3M', '--create-slot'];
    const receiver = startWal(['receive', '--config', place.config, ...limit, ...flags]);
    const isArchived = (segment: string) =>
      waitFor(
        `${segment} in the archive`,
        async () => filesIn(place.store).some(({ name }) => name === segment),
        60_000,
      );
    let last = '';
    await waitFor('a slot', async () => active() === 't');
    await isArchived(writeLog(server));
    const disk = path.dirname(place.store);
    renameSync(disk, `${disk}.away`);
    await waitFor('the alarm', async () => {
      if (receiver.child.exitCode !== null) throw new Error(receiver.output.stderr);
      if (receiver.output.stderr.includes('ALARM')) return true;
      last = writeLog(server);
      return false;
    });
    expect(receiver.output.stderr).toContain('is the disk mounted');
    await waitFor('nothing is received', async () => active() === 'f');
    renameSync(`${disk}.away`, disk);
    await isArchived(last);
    receiver.child.kill('SIGTERM');
    expect((await receiver.ended).code).toBe(0);
    expect(await runWal('verify', '--config', place.config, '--deep')).toMatchObject({ code: 0 });
    expect((await runWal('slot', 'drop', ...flags)).code).toBe(0);
  });

  it('says at once that there is no slot, makes one twice, and drops it once', async () => {
    const place = newPlace();
    const flags = loginTo(server, place, 'missing');
    const slot = (action: string) => runWal('slot', action, ...flags);
    const missing = { code: 6, stderr: expect.stringContaining('replication slot "missing"') };
    expect(await runWal('receive', '--config', place.config, '--spool', place.at('spool'), ...flags)).toMatchObject(
      missing,
    );
    expect(await slot('drop')).toMatchObject(missing);
    for (const action of ['create', 'create', 'drop']) expect((await slot(action)).code).toBe(0);
    expect(server.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'missing'").trim()).toBe('0');
  });

  it('leaves no gap, whatever is killed, and forgets no password', async () => {
    await receiveThroughCrashes(server);
  });
});

/** Flags that log in with a password from a file. */
function loginTo(server: Postgresql, place: { at(name: string): string }, slot: string): string[] {
  const passwordFile = place.at('password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  const login = ['--host', '127.0.0.1', '--port', String(server.port), '--user', 'postgres', '--slot', slot];
  return [...login, '--password-file', passwordFile];
}

/** Two to three segments; answers the last, which is ended. */
function writeLog(server: Postgresql): string {
  server.sql('CREATE TABLE IF NOT EXISTS log (text text)');
  for (let step = 1; step <= 3; step++) {
    server.sql(`INSERT INTO log SELECT md5((g * ${step})::text) FROM generate_series(1, 8000) g`);
  }
  return server.sql('SELECT pg_walfile_name(pg_switch_wal())').trim();
}

async function receiveThroughCrashes(server: Postgresql): Promise<void> {
  const place = newPlace();
  const spool = place.at('spool');
  const flags = loginTo(server, place, 'archive');
  const passwordFile = flags.at(-1) ?? '';
  const login = flags.slice(0, -2);
  chmodSync(passwordFile, 0o644);
  const start = (...more: string[]) =>
    startWal(['receive', '--config', place.config, '--spool', spool, ...flags, ...more]);
  expect(await start().ended).toMatchObject({ code: 2, stderr: expect.stringContaining('chmod 600') });
  chmodSync(passwordFile, 0o600);
  expect(await start().ended).toMatchObject({ code: 6, stderr: expect.stringContaining('no replication slot') });
  const nobody = startWal(['receive', '--config', place.config, '--spool', spool, ...login]);
  expect(await nobody.ended).toMatchObject({ code: 5, stderr: expect.stringContaining('DATABASE_AUTH') });
  for (const _ of [1, 2]) expect((await runWal('slot', 'create', ...flags)).code).toBe(0);

  const write = () => writeLog(server);
  const arrived = (name: string) =>
    waitFor(
      `${name} in the archive`,
      async () => {
        // It should run; what it said tells why it does not.
        if (receiver.child.exitCode !== null) throw new Error(receiver.output.stderr);
        return filesIn(place.store).some((file) => file.name === name);
      },
      60_000,
    );

  let receiver = start();
  await arrived(write());
  const tools = findTools(spool);
  expect(tools.some((tool) => tool.name === 'pg_receivewal')).toBe(true);
  const plain = PASSWORD.slice(0, 5);
  for (const tool of tools) expect(`${tool.commandLine} ${tool.environment}`).not.toContain(plain);

  receiver.child.kill('SIGKILL');
  await receiver.ended;
  write();
  receiver = start();
  await arrived(write());

  await server.kill();
  // Its processes may take a moment to notice.
  await waitFor('the server', async () => {
    await server.start();
    return true;
  });
  await arrived(write());

  // The disk of the spool is lost, too: the archive knows where to go on.
  receiver.child.kill('SIGKILL');
  await receiver.ended;
  execFileSync('rm', ['-rf', spool]);
  write();
  receiver = start();
  const last = write();
  await arrived(last);
  server.sql("INSERT INTO log VALUES ('the last word')");
  const current = server.sql('SELECT pg_walfile_name(pg_current_wal_lsn())').trim();
  const words = Buffer.from('the last word');
  const arriving = path.join(spool, `${current}.partial`);
  await waitFor('the last word', async () => existsSync(arriving) && readFileSync(arriving).includes(words));
  receiver.child.kill('SIGTERM');
  expect(await receiver.ended).toMatchObject({ code: 0 });

  const verdict = await runWal('verify', '--config', place.config, '--deep', '--json');
  expect([verdict.code, JSON.parse(verdict.stdout)]).toEqual([0, expect.objectContaining({ missing: [], last })]);
  const kept = path.join(server.folder, 'data', 'pg_wal');
  for (const file of filesIn(place.store).filter(({ name }) => name.length === 24)) {
    expect(`${file.name} ${file.sha256}`).toBe(`${file.name} ${sha256Of(path.join(kept, file.name))}`);
  }
  const partial = place.at('partial');
  expect((await runWal('fetch', '--config', place.config, `${current}.partial`, partial)).code).toBe(0);
  // The server may have written more since.
  const known = readFileSync(partial).indexOf(words) + words.length;
  const begin = (file: string) => readFileSync(file).toString('hex', 0, known);
  expect(known).toBeGreaterThan(words.length);
  expect(begin(partial)).toBe(begin(path.join(kept, current)));

  // What the server has thrown away cannot be had: that is said, and not passed over.
  expect((await runWal('slot', 'drop', ...flags)).code).toBe(0);
  server.sql('ALTER SYSTEM SET wal_keep_size = 0');
  server.sql('SELECT pg_reload_conf()');
  for (const _ of [1, 2]) write();
  server.sql('CHECKPOINT');
  expect((await runWal('slot', 'create', ...flags)).code).toBe(0);
  const lost = await start().ended;
  expect(lost).toMatchObject({ code: 8, stderr: expect.stringContaining('WAL_GAP') });
  receiver = start('--accept-gap');
  const after = write();
  await arrived(after);
  receiver.child.kill('SIGTERM');
  expect((await receiver.ended).code).toBe(0);
  const gap = await runWal('verify', '--config', place.config, '--json');
  expect([gap.code, JSON.parse(gap.stdout).missing.length]).toEqual([8, 1]);
}
