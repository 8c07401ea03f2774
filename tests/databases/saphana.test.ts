/** SAP HANA data backups through a stand-in for hdbsql: no real HANA can be had for tests. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeHana, type FakeState, makeFakeHana } from '../servers/fake-hdbsql.ts';
import { damagedBackups } from '../support/damaged-backups.ts';
import { dumpFaults } from '../support/dump-faults.ts';
import { besideSmallDisk, mayMount, until } from '../support/faulty-runs.ts';
import { recordPrograms } from '../support/recorded-programs.ts';
import { createRunner } from '../support/repository.ts';
import { backupModes, createSourceJobs, type SourceJobs } from '../support/source-jobs.ts';
import { findTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('saphana');
const runner = createRunner(work.at('temp'));
let hana: FakeHana;
let backupFolder = '';
let rounds = 0;

afterAll(async () => {
  await runner.close();
  work.remove();
});

/** A new one for each test, and one for what is made before the first. */
function renew(): void {
  rounds += 1;
  hana = makeFakeHana(work.at(`hana-${rounds}`));
  backupFolder = work.at(`backup's ${rounds}`);
  mkdirSync(backupFolder);
}
beforeAll(renew);
beforeEach(renew);

const source = (more: Record<string, unknown> = {}) => ({
  type: 'saphana',
  config: { userStoreKey: 'BACKUPX', toolFolder: hana.folder, backupFolder, ...more },
});

/** The second bytes of the stand-in's files. */
const contentOf = (database: string, number: number, length: number) => Buffer.alloc(length, `${database}${number}`);

function expectFiles(folder: string, database: string): void {
  const names = readdirSync(folder).sort();
  expect(names.length).toBe(5);
  for (const [number, length] of [100, 600_000, 600_000].entries()) {
    const name = names.find((item) => item.endsWith(`_databackup_${number}_1`)) ?? '';
    expect(name).toMatch(/^backupx_\d{14}_/);
    expect(readFileSync(path.join(folder, name)).equals(contentOf(database, number, length))).toBe(true);
  }
}

describe.each(backupModes)('into an %s', (mode) => {
  let jobs: SourceJobs;
  const prepare = async () => {
    jobs ??= await createSourceJobs(runner, work, mode);
  };

  it('brings every file of every database back, odd names too, with a guide', async () => {
    await prepare();
    const odd = ['-h =', 'q"q', "it's 租户", 'p%/x'];
    hana.set({ databases: [...odd, 'SYSTEMDB'].map((name) => ({ name, status: 'YES' })) });
    const recorded = recordPrograms(work.at(`recorded-${mode}`), ['hdbsql'], hana.folder);
    const result = await jobs.backup(source({ toolFolder: recorded.folder }));
    expect(result).toMatchObject({ status: 'success', problemCount: 0 });
    expect(readdirSync(backupFolder)).toEqual([]);
    const target = work.at(`back-${rounds}`);
    const restored = await jobs.restore(source(), result, { targetPath: target });
    expect(restored).toMatchObject({ status: 'success' });
    expect(readdirSync(target).length).toBe(odd.length + 1);
    for (const name of [...odd, 'SYSTEMDB']) {
      expectFiles(path.join(target, name === 'p%/x' ? 'p%25%2Fx' : name), name);
    }
    const guide = readFileSync(path.join(target, 'q"q', 'RECOVERY.txt'), 'utf8');
    expect(guide).toContain('ALTER SYSTEM STOP DATABASE "q""q";');
    expect(guide).toMatch(/RECOVER DATA FOR "q""q" USING FILE \('\/.*\/q"q\/', 'backupx_\d{14}'\) CLEAR LOG;/);
    expect(readFileSync(path.join(target, 'SYSTEMDB', 'RECOVERY.txt'), 'utf8')).toContain('recoverSys.py --command');
    // The key is the login; nothing else of ours is handed to the program.
    const variables = recorded.text().match(/^[A-Z_]+(?==)/gm) ?? [];
    const expected = ['HOME', 'LANG', 'LC_ALL', 'OLDPWD', 'PATH', 'PWD', 'SHLVL', 'TMPDIR', 'TZ', '_'];
    expect([...new Set(variables)].filter((name) => !expected.includes(name))).toEqual([]);
    expect(recorded.called()).toEqual(['hdbsql']);
    for (const call of hana.calls()) expect(call.slice(0, 6)).toEqual(['-U', 'BACKUPX', '-a', '-x', '-j', '-C']);
  });

  it('is proven by verification', async () => {
    await prepare();
    const result = await jobs.backup(source({ databases: ['HDB'] }));
    const artifact = jobs.artifactOf(result);
    const verified = await runner.run({ kind: 'verify_artifact', artifact, source: source(), mode: 'quick' });
    expect(verified.status).toBe('success');
    expect(verified.checks).toContainEqual(expect.objectContaining({ subject: 'HDB', name: 'structure', ok: true }));
  });

  it('is a warning when one of three is missing and one fails, with the reason of each', async () => {
    await prepare();
    hana.set({ databases: ['SYSTEMDB', 'A', 'B'].map((name) => ({ name, status: name === 'B' ? 'NO' : 'YES' })) });
    const result = await jobs.backup(source({ databases: ['A', 'B', 'C'] }));
    expect(result.status).toBe('warning');
    expect(result.problems.map(({ path: at, message }) => [at, message])).toEqual([
      ['/saphana/B', expect.stringContaining('not running')],
      ['/saphana/C', expect.stringContaining('no database C')],
    ]);
  });
});

describe('a backup that is none', () => {
  let jobs: SourceJobs;
  beforeEach(async () => {
    jobs ??= await createSourceJobs(runner, work, 'archive');
  });

  it.each([
    ['error', 'DATABASE_TOOL_FAILED', 'disk full'],
    ['failed', 'DATABASE_DUMP_INCOMPLETE', 'says "failed": internal error'],
    ['short', 'DATABASE_DUMP_INCOMPLETE', 'has 599999 of 600000 bytes'],
    ['missing', 'DATABASE_DUMP_INCOMPLETE', 'is not in'],
    ['killed', 'DATABASE_TOOL_FAILED', 'SIGKILL'],
  ] as const)('fails although hdbsql may say nothing: %s', async (failure, code, reason) => {
    hana.set({ failures: { SYSTEMDB: failure, HDB: failure } });
    const error = await jobs.backup(source()).catch((caught: AppError) => caught);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(reason) });
    expect(readdirSync(backupFolder)).toEqual([]);
    const kept = await jobs.backup(source({ excludeDatabases: ['*B'] })).catch((caught: AppError) => caught.code);
    expect(kept).toBe('DATABASE_NOT_FOUND');
  });

  it('tells a refused login, and asks once', async () => {
    await expect(jobs.backup(source({ userStoreKey: 'OTHER' }))).rejects.toMatchObject({ code: 'DATABASE_AUTH' });
    expect(hana.calls().length).toBe(1);
    await expect(jobs.backup(source({ toolFolder: work.at('nowhere') }))).rejects.toMatchObject({
      code: 'DATABASE_TOOL_MISSING',
    });
  });

  it('tells HANA to stop a backup whose client was lost', async () => {
    hana.set({ failures: { HDB: 'killed' } });
    await jobs.backup(source({ databases: ['HDB'] })).catch(() => {});
    expect(hana.statements('BACKUP CANCEL')).toEqual(['BACKUP CANCEL 1700000000000']);
  });
});

describe.skipIf(!mayMount)('a disk that is full (needs root)', () => {
  let jobs: SourceJobs;
  const small = work.at('small');
  beforeEach(async () => {
    jobs ??= await createSourceJobs(runner, { ...work, at: (name: string) => work.at('full', name) }, 'archive');
  });

  it('of the folder HANA writes to: the database fails, in words, the folder is empty again, and others are saved', () =>
    besideSmallDisk(small, '1m', async () => {
      const failure = { code: 'DATABASE_TOOL_FAILED', message: expect.stringContaining('no space left') };
      await expect(jobs.backup(source({ backupFolder: small, databases: ['HDB'] }))).rejects.toMatchObject(failure);
      expect(readdirSync(small)).toEqual([]);
      hana.set({ sizeBytes: 400_000 });
      expect(await jobs.backup(source({ backupFolder: small }))).toMatchObject({ status: 'success', problemCount: 0 });
      expect(readdirSync(small)).toEqual([]);
    }));

  it('below the folder of a restore: nothing of it stays', async () => {
    hana.set({ sizeBytes: 1_500_000 });
    const result = await jobs.backup(source({ databases: ['HDB'] }));
    await besideSmallDisk(small, '1m', async () => {
      await expect(jobs.restore(source(), result, { targetPath: small })).rejects.toMatchObject({
        code: 'RESTORE_TARGET_INVALID',
        message: expect.stringContaining('ENOSPC'),
      });
      expect(readdirSync(small)).toEqual([]);
    });
  });
});

for (const mode of backupModes) {
  const target = work.at(`damaged-${mode}`);
  damagedBackups(mode, {
    ...{ name: 'a backup of SAP HANA', work, runner, source: () => source({ databases: ['HDB'] }) },
    restore: { targetPath: target },
    look: () => existsSync(target),
  });
  const as = (failures: FakeState['failures']) => {
    hana.set({ failures, sizeBytes: 1_000_000, isRandom: true });
    return source({ databases: ['HDB'] });
  };
  dumpFaults(mode, {
    ...{ name: 'a data backup of SAP HANA', work, runner },
    slow: () => as({ HDB: 'slow' }),
    large: () => as({}),
    quick: () => as({}),
    begun: () => until('the backup', () => existsSync(path.join(hana.folder, 'catalogue.json'))),
    hasEnded: () => findTools(hana.folder).length === 0,
    onNext: () => expect(readdirSync(backupFolder)).toEqual([]),
  });
}

it('uses the right words for each kind and way', async () => {
  const jobs = await createSourceJobs(runner, { ...work, at: (name: string) => work.at('words', name) }, 'archive');
  const words = async (more: Record<string, unknown>) => {
    const result = await jobs.backup(source(more));
    const [system, tenant] = hana.statements('BACKUP DATA').slice(-2).toReversed();
    return { result, texts: [system, tenant].map((text) => text?.replace(/ \(.*/, '')) };
  };
  expect((await words({})).texts).toEqual(['BACKUP DATA USING FILE', 'BACKUP DATA FOR "HDB" USING FILE']);
  const incremental = await words({ backupKind: 'incremental' });
  expect(incremental.texts).toEqual([
    'BACKUP DATA INCREMENTAL USING FILE',
    'BACKUP DATA INCREMENTAL FOR "HDB" USING FILE',
  ]);
  await jobs.restore(source(), incremental.result);
  const guide = readFileSync(path.join(backupFolder, 'backupx-restored', 'HDB', 'RECOVERY.txt'), 'utf8');
  expect(guide).toContain('cannot be recovered alone');
  expect(guide).toContain(
    'RECOVER DATABASE FOR "HDB" UNTIL TIMESTAMP \'2026-01-02 03:04:05.000\' CLEAR LOG USING CATALOG PATH',
  );
  const backint = await words({ backupKind: 'differential', method: 'backint', backupFolder: '' });
  expect(backint.texts).toEqual([
    'BACKUP DATA DIFFERENTIAL USING BACKINT',
    'BACKUP DATA DIFFERENTIAL FOR "HDB" USING BACKINT',
  ]);
  const target = work.at('backint-guides');
  await jobs.restore(source(), backint.result, { targetPath: target });
  expect(readdirSync(path.join(target, 'HDB')).sort()).toEqual(['RECOVERY.txt', 'inventory.json']);
  expect(readFileSync(path.join(target, 'HDB', 'RECOVERY.txt'), 'utf8')).toMatch(
    /USING BACKUP_ID 17\d{11} USING CATALOG BACKINT CLEAR LOG/,
  );
});

it('lists who is connected before files are brought back, and says what that does and what not', async () => {
  const connection = { CONNECTION_ID: '300123', CLIENT_IP: '10.0.0.7', CLIENT_HOST: 'till', CLIENT_PID: '77' };
  const row = { ...connection, USER_NAME: 'TILL', START_TIME: '2026-01-02 03:04:05.678000000' };
  hana.set({
    databases: ['SYSTEMDB', 'p%/x'].map((name) => ({ name, status: 'YES' })),
    connections: [{ ...row, DATABASE_NAME: 'p%/x' }],
  });
  const entries = ['SYSTEMDB', 'p%25%2Fx', 'GONE'].map((name) => `/saphana/${name}/inventory.json`);
  const ask = (more: Record<string, unknown> = {}) =>
    runner.run({ kind: 'inspect_target', source: source(more), options: {}, entries });
  const found = await ask();
  expect(found.databases.map(({ name, exists, isReplaced }) => [name, exists, isReplaced])).toEqual([
    ['SYSTEMDB', true, false],
    ['p%/x', true, false],
    ['GONE', false, false],
  ]);
  const session = { id: '300123', user: 'TILL', address: '10.0.0.7', program: 'process 77' };
  expect(found.databases[1]?.sessions).toEqual([{ ...session, since: '2026-01-02T03:04:05Z' }]);
  expect(found.notes?.join(' ')).toContain('Nothing in SAP HANA changes by that');
  // The files can be brought to any machine.
  const elsewhere = await ask({ toolFolder: work.at('nowhere') });
  expect([elsewhere.databases, elsewhere.notes?.at(-1)]).toEqual([[], expect.stringContaining('hdbsql')]);
});

it('looks around with the same program and key, and says what is missing', async () => {
  hana.set({ privileges: ['CATALOG READ'] });
  const found = await runner.run({
    kind: 'inspect_source',
    source: source({ databases: ['HDB', 'NONE'], backupFolder: '/nowhere' }),
  });
  expect(found).toMatchObject({ server: 'SAP HANA 2.00.059.00.1636613990', tool: path.join(hana.folder, 'hdbsql') });
  expect(found.databases.map(({ name }) => name)).toEqual(['HDB', 'SYSTEMDB']);
  expect(found.warnings).toEqual([
    'There is no database NONE.',
    'The folder for backups /nowhere cannot be written here.',
    'The user of the key lacks BACKUP ADMIN or BACKUP OPERATOR.',
    'The user of the key lacks DATABASE ADMIN or DATABASE BACKUP ADMIN or DATABASE BACKUP OPERATOR.',
  ]);
  expect(found.readOnlyUserSql).toContain('GRANT BACKUP ADMIN, CATALOG READ');
});
