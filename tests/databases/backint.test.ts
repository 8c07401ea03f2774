/** The Backint agent, called as SAP HANA calls it: real processes, named pipes, on a local disk and on an S3 server. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { createEngine } from '@backupx/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RadosGateway, startRadosGateway } from '../servers/radosgw.ts';
import {
  callBackint,
  drainPipe,
  ebidsOf,
  feedPipe,
  holdPipe,
  makePipe,
  quoted,
  seededBytes,
  sha256,
  startCall,
} from '../support/backint-caller.ts';
import { waitFor } from '../support/start-program.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('backint');
const cli = path.resolve(import.meta.dirname, '../../apps/cli/bin/backupx.mjs');
let files = 0;

afterAll(() => work.remove());

/** A new folder with a parameter file; `store` is where a local disk keeps objects. */
function makePlace(lines: readonly string[] = []) {
  const folder = work.at(`place-${++files}`);
  mkdirSync(folder);
  const store = path.join(folder, 'store');
  const parameters = path.join(folder, 'backint.conf');
  // A pipe that is missed shows within the time limit of a test.
  if (!lines.some((line) => line.startsWith('open_timeout'))) lines = [...lines, 'open_timeout_seconds = 15'];
  const isElsewhere = lines.some((line) => line.startsWith('storage ='));
  const storage = isElsewhere ? [] : ['storage = local_disk', `storage.basePath = ${store}`];
  writeFileSync(parameters, ['# made by a test', ...storage, ...lines, ''].join('\n'), { mode: 0o600 });
  return { folder, store, parameters, at: (name: string) => path.join(folder, name) };
}

function objectsIn(store: string): string[] {
  if (!existsSync(store)) return [];
  const found = readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return found.map((entry) => path.join(entry.parentPath, entry.name));
}

type Place = ReturnType<typeof makePlace>;

/** Saves `bytes` through a pipe; answers the id. */
async function save(place: Place, pipe: string, bytes: Buffer): Promise<string> {
  const [answer] = await Promise.all([callBackint('backup', [`#PIPE ${quoted(pipe)}`], place), feedPipe(pipe, bytes)]);
  const [ebid = ''] = ebidsOf(answer.lines);
  expect(answer).toMatchObject({ code: 0, lines: [`#SAVED "${ebid}" ${quoted(pipe)} ${bytes.length}`] });
  return ebid;
}

async function wholeWay(place: Place): Promise<void> {
  const names = ['databackup_0_1', 'log backup "x" 1', 'a\\b ü%2F', '..'.concat('-end\\')];
  const samples = names.map((name, index) => ({
    name: makePipe(place.at(name)),
    bytes: seededBytes(index, [3_500_000, 0, 70_001, 12][index] ?? 0),
  }));
  const plain = { name: place.at('file one'), bytes: seededBytes(9, 1_200_000) };
  writeFileSync(plain.name, plain.bytes);
  const asked = [
    'a comment',
    ...samples.map(({ name }) => `#PIPE ${name.endsWith('\\') ? name : quoted(name)} 16777216`),
    '#UNKNOWN "keyword',
    `#FILE ${quoted(plain.name)}`,
  ];
  const saving = callBackint('backup', asked, place);
  await Promise.all(samples.map(({ name, bytes }) => feedPipe(name, bytes)));
  const saved = await saving;
  expect(saved.code).toBe(0);
  expect(saved.software).toMatch(/^#SOFTWAREID "backint 1.04" "BackupX /);
  const all = [...samples, plain];
  expect(saved.lines.length).toBe(all.length);
  const ebids = all.map(({ name, bytes }) => {
    const line = saved.lines.find((item) => item.includes(` ${name.endsWith('\\') ? name : quoted(name)} `)) ?? '';
    expect(line.endsWith(` ${bytes.length}`)).toBe(true);
    return ebidsOf([line])[0] ?? '';
  });
  expect(new Set(ebids).size).toBe(all.length);

  const listed = await callBackint('inquire', ['#NULL'], { ...place, version: '1.50' });
  expect(listed.software).toContain('"backint 1.50"');
  expect(new Set(ebidsOf(listed.lines))).toEqual(new Set(ebids));
  for (const line of listed.lines) expect(line).toMatch(/ "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$/);
  const old = await callBackint('inquire', [`#NULL ${quoted(plain.name)}`, '#EBID "nothing"'], place);
  expect(old.lines).toEqual([`#BACKUP "${ebids.at(-1)}" ${quoted(plain.name)}`, '#NOTFOUND "nothing"']);

  // Into the pipes themselves by id, and the newest of each into a new file.
  const given = (name: string) => (name.endsWith('\\') ? name : quoted(name));
  const intoPipes = samples.map(({ name }, index) => `#EBID "${ebids[index]}" ${given(name)}`);
  const restoring = callBackint('restore', intoPipes, place);
  const drained = await Promise.all(samples.map(({ name }) => drainPipe(name)));
  expect(new Set((await restoring).lines)).toEqual(
    new Set(samples.map(({ name }, index) => `#RESTORED "${ebids[index]}" ${given(name)}`)),
  );
  expect(drained.map(sha256)).toEqual(samples.map(({ bytes }) => sha256(bytes)));
  const intoFiles = all.map(({ name }, index) => `#NULL ${given(name)} ${quoted(place.at(`back to ${index}`))}`);
  const restored = await callBackint('restore', [...intoFiles, '#NULL "/never/saved"'], place);
  expect(restored.lines).toContain('#NOTFOUND "/never/saved"');
  expect(restored.lines.length).toBe(all.length + 1);
  for (const [index, { bytes }] of all.entries()) {
    expect(sha256(readFileSync(place.at(`back to ${index}`)))).toBe(sha256(bytes));
  }

  const ids = all.map(({ name }, index) => `#EBID "${ebids[index]}" ${given(name)}`);
  const deleted = await callBackint('delete', [...ids, '#EBID "nothing" "/x"'], place);
  expect(new Set(deleted.lines)).toEqual(
    new Set([...ids.map((line) => line.replace('#EBID', '#DELETED')), '#NOTFOUND "nothing" "/x"']),
  );
  const empty = await callBackint('inquire', ['#NULL', ids[0] ?? ''], place);
  expect(empty.lines).toEqual(['#NOTFOUND', (ids[0] ?? '').replace('#EBID', '#NOTFOUND')]);
  expect((await callBackint('restore', [ids[0] ?? ''], place)).lines).toEqual([
    `#NOTFOUND ${given(all[0]?.name ?? '')}`,
  ]);
}

describe('on a local disk', () => {
  it('goes the whole way: backup, inquire, restore, delete', async () => {
    const place = makePlace();
    await wholeWay(place);
    expect(objectsIn(place.store)).toEqual([]);
  });

  it('keeps every backup of a name apart when eight processes save at once', async () => {
    const place = makePlace(['parallelism = 2']);
    const name = '/usr/sap/HDB/log_backup_0_0_0_0';
    const runs = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const pipe = makePipe(place.at(`pipe${index}`));
        const shared = place.at('log_backup_0_0_0_0');
        if (index === 0) writeFileSync(shared, name);
        const asked = [`#PIPE ${quoted(pipe)}`, `#FILE ${quoted(shared)}`];
        const bytes = seededBytes(index, 400_000);
        const [answer] = await Promise.all([callBackint('backup', asked, place), feedPipe(pipe, bytes)]);
        return { pipe, bytes, answer };
      }),
    );
    const ids = runs.flatMap(({ answer }) => ebidsOf(answer.lines));
    expect(new Set(ids).size).toBe(16);
    const listed = await callBackint('inquire', [`#NULL ${quoted(place.at('log_backup_0_0_0_0'))}`], place);
    expect(listed.lines.length).toBe(8);
    expect(ebidsOf(listed.lines)).toEqual(ebidsOf(listed.lines).toSorted().toReversed());
    const asked = runs.map(({ pipe }, index) => `#NULL ${quoted(pipe)} ${quoted(place.at(`back${index}`))}`);
    await callBackint('restore', asked, place);
    for (const [index, { bytes }] of runs.entries()) {
      expect(readFileSync(place.at(`back${index}`)).equals(bytes)).toBe(true);
    }
  });

  it('answers #ERROR for a pipe that nobody opens, and saves the others', async () => {
    const place = makePlace(['open_timeout_seconds = 1']);
    const [lonely, missing, fed] = [makePipe(place.at('lonely')), place.at('missing'), makePipe(place.at('fed'))];
    const saving = callBackint(
      'backup',
      [lonely, missing, fed].map((name) => `#PIPE ${name}`),
      place,
    );
    await feedPipe(fed, Buffer.from('data'));
    const saved = await saving;
    expect(saved.code).toBe(0);
    const [ebid] = ebidsOf(saved.lines);
    expect(new Set(saved.lines)).toEqual(
      new Set([`#SAVED "${ebid}" ${fed} 4`, `#ERROR ${lonely}`, `#ERROR ${missing}`]),
    );
    expect(saved.stderr).toContain('nobody opened');
    expect(objectsIn(place.store).length).toBe(1);
    expect((await callBackint('restore', [`#NULL ${fed} ${lonely}`], place)).lines).toEqual([`#ERROR ${fed}`]);
  });

  it('answers #ERROR when the reader of a restore dies', async () => {
    const place = makePlace();
    const pipe = makePipe(place.at('pipe'));
    await save(place, pipe, seededBytes(1, 4_000_000));
    const restoring = callBackint('restore', [`#NULL ${pipe}`], place);
    await drainPipe(pipe, 100_000);
    expect(await restoring).toMatchObject({ code: 0, lines: [`#ERROR ${pipe}`] });
  });

  it('answers #ERROR for damaged, cut off and exchanged objects, and touches nothing', async () => {
    const place = makePlace();
    const pipes = ['flipped', 'cut', 'exchanged', 'emptied'].map((name) => makePipe(place.at(name)));
    for (const [index, pipe] of pipes.entries()) await save(place, pipe, seededBytes(index, 2_500_000));
    const objectOf = (name: string) => objectsIn(place.store).find((file) => file.includes(`/${name}/`)) ?? '';
    const flipped = readFileSync(objectOf('flipped'));
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    writeFileSync(objectOf('flipped'), flipped);
    // Exactly at the end of a frame: what is left is a sound zstd file.
    truncateSync(objectOf('cut'), statSync(objectOf('cut')).size - 48);
    writeFileSync(objectOf('exchanged'), readFileSync(objectOf('cut')));
    truncateSync(objectOf('emptied'), 0);
    for (const pipe of pipes) {
      const target = `${pipe} back`;
      writeFileSync(target, 'as it was');
      const answer = await callBackint('restore', [`#NULL ${pipe} ${quoted(target)}`], place);
      expect(answer).toMatchObject({ code: 0, lines: [`#ERROR ${pipe}`] });
      expect(readFileSync(target, 'utf8')).toBe('as it was');
    }
    expect(readdirSync(place.folder).filter((name) => name.endsWith('.part'))).toEqual([]);
    const restoring = callBackint('restore', [`#NULL ${pipes[1]}`], place);
    const got = await drainPipe(pipes[1] ?? '');
    expect((await restoring).lines).toEqual([`#ERROR ${pipes[1]}`]);
    expect(got.length).toBeLessThan(2_500_000);
  });

  it('stops at SIGTERM with #ERROR, a failing exit code and nothing stored', async () => {
    const place = makePlace();
    const pipe = makePipe(place.at('pipe'));
    const { child, answer } = startCall('backup', [`#PIPE ${pipe}`, `#PIPE ${makePipe(place.at('other'))}`], place);
    // It never comes to an end of it, however fast it is.
    const writer = holdPipe(pipe, seededBytes(1, 20_000_000));
    await waitFor(
      'the first bytes on disk',
      async () => existsSync(place.store) && readdirSync(place.store).length > 0,
    );
    child.kill('SIGTERM');
    const stopped = await answer;
    expect(stopped.code).toBe(130);
    expect(new Set(stopped.lines)).toEqual(new Set([`#ERROR ${pipe}`, `#ERROR ${place.at('other')}`]));
    expect(objectsIn(place.store)).toEqual([]);
    await writer.end();
  });

  it('encrypts with age; without the identity a restore is an #ERROR', async () => {
    const engine = createEngine({ tempDir: work.at('engine') });
    const { identity, recipient } = await engine.createEncryptionKey();
    await engine.close(1000);
    const place = makePlace([`encryption_recipients = ${recipient}`]);
    const pipe = makePipe(place.at('pipe'));
    const bytes = seededBytes(3, 1_500_000);
    await save(place, pipe, bytes);
    const [object = ''] = objectsIn(place.store);
    expect(object).toMatch(/\.zst\.age$/);
    expect(readFileSync(object).toString('latin1', 0, 22)).toBe('age-encryption.org/v1\n');
    const asked = [`#NULL ${pipe} ${place.at('back')}`];
    const blind = await callBackint('restore', asked, place);
    expect(blind.lines).toEqual([`#ERROR ${pipe}`]);
    writeFileSync(place.at('key'), `# created: today\n${identity}\n`, { mode: 0o600 });
    writeFileSync(
      place.parameters,
      `${readFileSync(place.parameters, 'utf8')}encryption_identities = @${place.at('key')}\n`,
    );
    expect((await callBackint('restore', asked, place)).lines[0]).toContain('#RESTORED');
    expect(readFileSync(place.at('back')).equals(bytes)).toBe(true);
  });

  it('stores what stock zstd reads, and copies of another system find the backups of the first', async () => {
    const place = makePlace();
    const pipe = makePipe(place.at('pipe'));
    const bytes = seededBytes(4, 2_100_000);
    await save(place, pipe, bytes);
    const [object = ''] = objectsIn(place.store);
    expect(execFileSync('zstd', ['-dc', object], { maxBuffer: 10_000_000 }).equals(bytes)).toBe(true);
    const other = { ...place, user: 'QAS' };
    expect((await callBackint('inquire', ['#NULL'], other)).lines).toEqual(['#NOTFOUND']);
    writeFileSync(place.parameters, `${readFileSync(place.parameters, 'utf8')}recovery_user = HDB\n`);
    expect((await callBackint('restore', [`#NULL ${pipe} ${place.at('b')}`], other)).lines[0]).toContain('#RESTORED');
  });

  it('needs nothing but the storage: a new machine with a copy of it lists, restores and deletes', async () => {
    const place = makePlace();
    const pipes = ['databackup_0_1', 'log "x" 1'].map((name) => makePipe(place.at(name)));
    const samples = pipes.map((_, index) => seededBytes(index, 300_000));
    const ebids: string[] = [];
    for (const [index, pipe] of pipes.entries()) ebids.push(await save(place, pipe, samples[index] ?? Buffer.alloc(0)));
    const other = makePlace();
    renameSync(place.store, other.store);
    rmSync(place.folder, { recursive: true });
    const listed = await callBackint('inquire', ['#NULL'], other);
    expect(listed.lines.toSorted()).toEqual(
      pipes.map((pipe, index) => `#BACKUP "${ebids[index]}" ${quoted(pipe)}`).toSorted(),
    );
    const asked = pipes.map((pipe, index) => `#EBID "${ebids[index]}" ${quoted(pipe)} ${other.at(`b${index}`)}`);
    // Several processes at once, as in a recovery with channels.
    const answers = await Promise.all(asked.map((line) => callBackint('restore', [line], other)));
    expect(answers.flatMap(({ lines }) => lines).every((line) => line.startsWith('#RESTORED'))).toBe(true);
    for (const [index, bytes] of samples.entries())
      expect(readFileSync(other.at(`b${index}`)).equals(bytes)).toBe(true);
    const gone = pipes.map((pipe, index) => `#EBID "${ebids[index]}" ${quoted(pipe)}`);
    const deleted = await Promise.all(gone.map((line) => callBackint('delete', [line], other)));
    expect(deleted.flatMap(({ lines }) => lines)).toEqual(gone.map((line) => line.replace('#EBID', '#DELETED')));
    expect(objectsIn(other.store)).toEqual([]);
  });

  const mount = work.at('small');
  mkdirSync(mount);
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'backupx-tests', mount]).status === 0;
  afterAll(() => {
    if (isMounted) spawnSync('umount', [mount]);
  });

  it.skipIf(!isMounted)('answers #ERROR when the storage or the target of a restore is full', async () => {
    const full = makePlace(['storage = local_disk', `storage.basePath = ${path.join(mount, 'store')}`]);
    const [big, small] = [full.at('big'), full.at('small')];
    writeFileSync(big, seededBytes(1, 20_000_000));
    writeFileSync(small, 'small');
    const saved = await callBackint('backup', [`#FILE ${big}`, `#FILE ${small}`], { ...full, extraFlags: [] });
    expect(saved.code).toBe(0);
    expect(saved.lines).toContain(`#ERROR ${big}`);
    expect(objectsIn(mount).filter((file) => file.includes('/big/'))).toEqual([]);
    const place = makePlace();
    const pipe = makePipe(place.at('pipe'));
    await save(place, pipe, seededBytes(2, 20_000_000));
    const answer = await callBackint('restore', [`#NULL ${pipe} ${path.join(mount, 'back')}`], place);
    expect(answer.lines).toEqual([`#ERROR ${pipe}`]);
    expect(readdirSync(mount).filter((name) => name !== 'store')).toEqual([]);
  });
});

describe('the call itself', () => {
  it('is found by the name hdbbackint, and tells its versions', () => {
    const link = work.at('hdbbackint');
    symlinkSync(cli, link);
    const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` };
    expect(execFileSync(link, ['-v'], { env }).toString()).toMatch(/^"Backint 1\.50" "BackupX \S+"\n$/);
  });

  it('works by that name with every flag, also unknown ones', async () => {
    const place = makePlace();
    writeFileSync(place.at('file'), 'text');
    const link = place.at('hdbbackint');
    symlinkSync(cli, link);
    const answer = await callBackint('backup', [`#FILE ${place.at('file')}`], {
      ...place,
      command: [link],
      extraFlags: ['--new-flag', 'x'],
    });
    expect(answer).toMatchObject({ code: 0, lines: [expect.stringMatching(/^#SAVED ".*" \S+ 4$/)] });
  });

  it('reads its input from standard input and answers to standard output, in both versions of the protocol', async () => {
    const place = makePlace();
    const file = place.at('a "file" here');
    writeFileSync(file, 'text');
    const call = (name: string, version: string, asked: string) =>
      execFileSync(process.execPath, [cli, 'backint', '-f', name, '-p', place.parameters, '-u', 'HDB'], {
        input: `#SOFTWAREID "backint ${version}" "HANA HDB server 2.00.059.00"\n${asked}\n`,
        encoding: 'utf8',
      }).split('\n');
    for (const version of ['1.04', '1.50']) {
      const [software, saved = ''] = call('BACKUP', version, `#FILE ${quoted(file)}`);
      expect(software).toMatch(new RegExp(`^#SOFTWAREID "backint ${version}" "BackupX `));
      const [ebid = ''] = ebidsOf([saved]);
      expect(saved).toBe(`#SAVED "${ebid}" ${quoted(file)} 4`);
      const time = version === '1.50' ? / "\d{4}-\d\d-\d\dT[\d:.]+Z"$/ : /here"$/;
      expect(call('inquire', version, `#EBID "${ebid}"`)[1]).toMatch(time);
      const back = place.at(`back ${version}`);
      const asked = `#EBID "${ebid}" ${quoted(file)} ${quoted(back)}`;
      expect(call('restore', version, asked)[1]).toBe(`#RESTORED "${ebid}" ${quoted(file)}`);
      expect(readFileSync(back, 'utf8')).toBe('text');
      expect(call('delete', version, `#EBID "${ebid}" ${quoted(file)}`)[1]).toBe(`#DELETED "${ebid}" ${quoted(file)}`);
    }
    expect(objectsIn(place.store)).toEqual([]);
  });

  it('fails as a whole, before anything is done, when it is not understood', async () => {
    const place = makePlace();
    writeFileSync(place.at('file'), 'text');
    const good = `#FILE ${place.at('file')}`;
    for (const asked of ['#PIPE', '#PIPE "/a', '#PIPE /a b', '#EBID "1" /a']) {
      const answer = await callBackint('backup', [good, asked], place);
      expect(answer.code).toBe(2);
      expect(answer.stderr).toContain('not understood');
      expect(answer.lines).toEqual([]);
    }
    expect(objectsIn(place.store)).toEqual([]);
  });

  it('refuses a parameter file with a secret that others can read', async () => {
    const settings = ['storage = s3', 'storage.endpoint = http://127.0.0.1:9', 'storage.bucket = bucket'];
    const place = makePlace([...settings, 'storage.accessKeyId = a', 'storage.secretAccessKey = b']);
    execFileSync('chmod', ['644', place.parameters]);
    const answer = await callBackint('inquire', ['#NULL'], place);
    expect(answer.code).toBe(2);
    expect(answer.stderr).toContain('chmod 600');
  });

  it('answers #ERROR for everything when the storage is down', async () => {
    const settings = ['storage = s3', 'storage.endpoint = http://127.0.0.1:9', 'storage.bucket = bucket'];
    const place = makePlace([...settings, 'storage.accessKeyId = a', 'storage.secretAccessKey = b']);
    writeFileSync(place.at('file'), 'text');
    const file = place.at('file');
    const answers = await Promise.all([
      callBackint('backup', [`#FILE ${file}`], place),
      callBackint('inquire', ['#NULL', `#NULL ${file}`], place),
      callBackint('restore', [`#EBID "1" ${file}`], place),
      callBackint('delete', [`#EBID "1" ${file}`], place),
    ]);
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(answers.map(({ lines }) => lines.toSorted())).toEqual([
      [`#ERROR ${file}`],
      ['#ERROR', `#ERROR ${file}`],
      [`#ERROR ${file}`],
      [`#ERROR "1" ${file}`],
    ]);
  });
});

describe('on an S3 server', () => {
  let server: RadosGateway;

  beforeAll(async () => {
    server = await startRadosGateway();
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('goes the whole way: backup, inquire, restore, delete', async () => {
    const place = makePlace([
      'storage = s3',
      `storage.endpoint = ${server.endpoint}`,
      `storage.bucket = ${server.bucket}`,
      'storage.forcePathStyle = true',
      `storage_file = ${work.at('keys')}`,
      'prefix = hana/prod',
    ]);
    writeFileSync(
      work.at('keys'),
      `accessKeyId = ${server.accessKeyId}\nsecretAccessKey = ${server.secretAccessKey}\n`,
      {
        mode: 0o600,
      },
    );
    await wholeWay(place);
  });
});
