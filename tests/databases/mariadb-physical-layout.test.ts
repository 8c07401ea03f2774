/** Servers of MariaDB whose files are not where, or not as, they usually are. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { createRunner } from '../support/repository.ts';
import { createSourceJobs } from '../support/source-jobs.ts';
import { watchTools } from '../support/tool-watch.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('mariadb-physical-layout');
const runner = createRunner(work.at('temp'));
const format = ['innodb-page-size=8k', 'innodb-data-file-path=ibdata1:10M;ibdata2:12M:autoextend'];
const settings = [...format, `innodb-undo-directory=${work.at('undo')}`, 'innodb-undo-tablespaces=2'];
let server: Mariadb;

beforeAll(async () => {
  for (const name of ['undo', 'elsewhere']) mkdirSync(work.at(name));
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  const install = ['--no-defaults', '--basedir=/usr', `--datadir=${work.at('data')}`, '--skip-test-db', ...user];
  const options = ['--auth-root-authentication-method=normal', ...settings.map((line) => `--${line}`)];
  const env = { ...process.env, TMPDIR: work.at('undo') };
  execFileSync('mariadb-install-db', [...install, ...options], { stdio: 'ignore', env });
  server = await startMariadb({ dataFolder: work.at('data'), settings });
  server.sql(`CREATE DATABASE shop;
    CREATE TABLE shop.far (id INT PRIMARY KEY, v TEXT) DATA DIRECTORY='${work.at('elsewhere')}';
    INSERT INTO shop.far VALUES (1, 'of the backup')`);
});
afterAll(async () => {
  await runner.close();
  await server.stop();
  work.remove();
});

it('pages of another size, undo logs and a table in other folders', async () => {
  const source = { type: 'mysql-physical', config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root' } };
  const jobs = await createSourceJobs(runner, work, 'archive');
  const result = await jobs.backup(source);
  expect(result).toMatchObject({ status: 'success', problems: [] });
  const { checks } = await runner.run({
    ...{ kind: 'verify_artifact', source, mode: 'deep', artifact: jobs.artifactOf(result) },
  });
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);

  server.sql(`UPDATE shop.far SET v = 'later'; FLUSH TABLES shop.far FOR EXPORT; UNLOCK TABLES`);
  const dataFolder = work.at('restored');
  const outcome = await jobs.restore(source, result, { options: { dataFolder, owner: userInfo().username } });
  expect(outcome.status).toBe('success');
  const restored = await startMariadb({ dataFolder, settings: format });
  try {
    expect(restored.sql('SELECT v FROM shop.far')).toBe('of the backup\n');
  } finally {
    await restored.stop();
  }
  expect(server.sql('SELECT v FROM shop.far')).toBe('later\n');
});

const SECRET = 'Se cret#1';

/** Keys in a file as they are, or encrypted with a password that only the option file of the server knows. */
function keySettings(isSecret: boolean): string[] {
  const keys = work.at(isSecret ? 'keys-plain' : 'keys');
  writeFileSync(keys, `1;${'0123456789abcdef'.repeat(4)}\n`);
  const plugin = 'plugin-load-add=file_key_management';
  if (!isSecret) return [plugin, `file-key-management-filename=${keys}`];
  const args = [
    'enc',
    '-aes-256-cbc',
    '-md',
    'sha1',
    '-pass',
    `pass:${SECRET}`,
    '-in',
    keys,
    '-out',
    work.at('keys.enc'),
  ];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return [plugin, `file-key-management-filename=${work.at('keys.enc')}`, `file-key-management-filekey="${SECRET}"`];
}

it.each([
  ['', false],
  [', in a file with a password', true],
])('encrypted files, with the keys on this machine%s', async (_, isSecret) => {
  const encrypted = [...keySettings(isSecret), 'innodb-encrypt-tables=FORCE', 'innodb-encrypt-log=ON'];
  const own = await startMariadb({ settings: encrypted });
  try {
    own.sql("CREATE DATABASE shop; CREATE TABLE shop.t (v TEXT); INSERT INTO shop.t VALUES ('kept from others')");
    // By that name alone, without the protocol, the program would ask for the socket of another server.
    const source = { type: 'mysql-physical', config: { dbHost: 'localhost', dbPort: own.port, dbUser: 'root' } };
    const jobs = await createSourceJobs(runner, work, isSecret ? 'archive' : 'repository');
    const watch = watchTools(work.path);
    const result = await jobs.backup(source);
    expect(result).toMatchObject({ status: 'success', problems: [] });
    const job = { kind: 'verify_artifact', source, mode: 'deep' } as const;
    const { checks } = await runner.run({ ...job, artifact: jobs.artifactOf(result) });
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    const dataFolder = work.at(`decrypted-${isSecret}`);
    await jobs.restore(source, result, { options: { dataFolder, owner: userInfo().username } });
    const seen = watch.stop();
    expect(seen.map(({ name }) => name)).toContain('mariadbd');
    for (const { commandLine, environment } of seen) expect(`${commandLine}${environment}`).not.toContain(SECRET);
    const restored = await startMariadb({ dataFolder, settings: encrypted });
    try {
      expect(restored.sql('SELECT v FROM shop.t')).toBe('kept from others\n');
    } finally {
      await restored.stop();
    }
  } finally {
    await own.stop();
  }
});
