/** Every kind of database, each with a live one: what a task of it says, what hurts it, and what it holds. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { BackupMode } from '@backupx/contracts/api/tasks';
import { MongoClient } from 'mongodb';
import * as mariadbSamples from '../databases/mariadb-samples.ts';
import * as mongodbSamples from '../databases/mongodb-samples.ts';
import * as postgresqlSamples from '../databases/postgresql-samples.ts';
import * as redisSamples from '../databases/redis-samples.ts';
import * as sqliteSamples from '../databases/sqlite-samples.ts';
import { type FakeHana, makeFakeHana } from '../servers/fake-hdbsql.ts';
import { type FerretdbServer, findFerretdb, startFerretdb } from '../servers/ferretdb.ts';
import { type Mariadb, startMariadb } from '../servers/mariadb.ts';
import { PASSWORD, type Postgresql, startPostgresql } from '../servers/postgresql.ts';
import { type RedisServer, startRedis } from '../servers/redis.ts';
import type { WorkFolder } from '../support/work-folder.ts';

export interface TaskChoice {
  readonly mode: BackupMode;
  /** Of a relay before the server. Left out: its own. */
  readonly port?: number;
}

/** One kind, with the live database of it that all tests share. */
export interface DatabaseKind {
  /** What a task says beside its name, node and storage. */
  task(how: TaskChoice): Record<string, unknown> & { type: string; extraConfig: Record<string, unknown> };
  /** What the connection test finds. */
  readonly found: readonly string[];
  readonly port: number;
  /** All that must come back, as text. */
  describe(): string | Promise<string>;
  damage(): unknown;
  /** What a restore is asked for. */
  readonly restore: { readonly targetPath?: string; readonly options?: Record<string, unknown> };
  /** The server stands still meanwhile. */
  readonly server?: { kill(): Promise<void>; start(): Promise<void> };
  /** A restore is to back up first what it replaces. What files of their own try (MariaDB, SQLite, Redis) does not. */
  readonly isSavedFirst?: true;
}

export const kindNames = [
  ...(['postgresql', 'postgresql-physical', 'mysql', 'mysql-physical'] as const),
  ...(['sqlite', 'mongodb', 'redis', 'saphana'] as const),
];
export type KindName = (typeof kindNames)[number];

/** Why a kind cannot be tested here; empty: it can. */
export const whyNot = (name: KindName): string => (name === 'mongodb' ? findFerretdb().whyNot : '');

const LOGIN = { user: 'root', password: 'a secret' };
const replaceLive = { options: { replaceExisting: true, endSessions: true } };
const at = (port: number) => ({ dbHost: '127.0.0.1', dbPort: port });

/** Two kinds share a server: its databases, and its files. */
function ofPostgresql(server: Postgresql): Pick<Record<KindName, DatabaseKind>, 'postgresql' | 'postgresql-physical'> {
  postgresqlSamples.makeShop(server);
  const { port } = server;
  const login = (relay = port) => ({ ...at(relay), dbUser: 'postgres', dbPassword: PASSWORD });
  const formats = { full: { format: 'custom' }, repository: { format: 'directory', parallelJobs: 2 } } as const;
  const describe = () => postgresqlSamples.describeDatabase(server, 'shop');
  return {
    postgresql: {
      task: (how) => ({
        ...{ type: 'postgresql', ...login(how.port), dbName: 'shop', extraConfig: formats[how.mode] },
      }),
      ...{ found: ['postgres', 'shop'], port, describe, restore: replaceLive, isSavedFirst: true },
      damage() {
        server.sql(
          `DROP VIEW sales.big; DROP TRIGGER on_events ON events; DELETE FROM sales.orders WHERE id % 2 = 0;
          UPDATE sales.customers SET name = 'nobody', mood = 'sad'; ALTER TABLE empty_table ADD more int; CREATE TABLE stray (i int);
          SELECT lo_unlink(4711) \\g /dev/null
          ALTER DATABASE shop RESET work_mem; REVOKE SELECT ON sales.customers FROM reader`,
          'shop',
        );
      },
    },
    'postgresql-physical': {
      task: (how) => ({ type: 'postgresql-physical', ...login(how.port), extraConfig: {} }),
      ...{ found: ['postgres', 'shop'], port, server },
      describe: () =>
        `${postgresqlSamples.databaseNames(server)}\n${server.sql('SELECT * FROM pg_authid ORDER BY oid')}\n${describe()}`,
      restore: { options: { dataFolder: path.join(server.folder, 'data'), replaceExisting: true } },
      damage() {
        server.sql('DROP DATABASE shop WITH (FORCE); CREATE DATABASE stray; CREATE ROLE nobody');
      },
    },
  };
}

function ofMariadb(server: Mariadb): Pick<Record<KindName, DatabaseKind>, 'mysql' | 'mysql-physical'> {
  mariadbSamples.makeShop(server);
  const { port } = server;
  const describe = () => ['shop', 'other'].map((name) => mariadbSamples.describeDatabase(server, name)).join('\n');
  return {
    mysql: {
      task: (how) => ({
        type: 'mysql',
        ...at(how.port ?? port),
        dbUser: 'root',
        dbName: 'shop,other',
        extraConfig: {},
      }),
      ...{ found: ['other', 'shop'], port, describe, restore: replaceLive },
      damage() {
        // No view may lose what it reads: mariadb-dump ends at one, and so would the backup before the restore.
        server.sql(`DROP TRIGGER shop.trg; DROP PROCEDURE shop.p; DROP VIEW shop.own; DROP TABLE shop.child, shop.sq;
          DELETE FROM shop.t WHERE id > 10; UPDATE shop.t SET a = 'changed'; CREATE TABLE shop.stray (i INT);
          DELETE FROM other.o; ALTER DATABASE shop CHARACTER SET latin1`);
      },
    },
    'mysql-physical': {
      task: (how) => ({ type: 'mysql-physical', ...at(how.port ?? port), dbUser: 'root', extraConfig: {} }),
      ...{ found: ['other', 'shop'], port, server },
      // Numbers that a server has set aside for rows to come are lost whenever it starts.
      describe: () => `${server.sql('SHOW DATABASES')}\n${describe().replaceAll(/ AUTO_INCREMENT=\d+/g, '')}`,
      restore: {
        options: { dataFolder: path.join(server.folder, 'data'), replaceExisting: true, keepReplaced: false },
      },
      damage() {
        server.sql('DROP DATABASE other; DELETE FROM shop.t; DROP TABLE shop.parted, shop.aria; CREATE DATABASE stray');
      },
    },
  };
}

function ofMongodb({ port, uri }: FerretdbServer): DatabaseKind {
  // Nobody stays connected, which would stop a restore.
  const asked = async <T>(what: (client: MongoClient) => Promise<T>): Promise<T> => {
    const client = new MongoClient(uri);
    return await what(client).finally(() => client.close());
  };
  return {
    task: (how) => ({
      ...{
        type: 'mongodb',
        ...at(how.port ?? port),
        dbUser: LOGIN.user,
        dbPassword: LOGIN.password,
        dbName: 'shop,other,-h',
      },
      extraConfig: { program: 'native' },
    }),
    ...{ found: ['-h', 'other', 'shop'], port, isSavedFirst: true, restore: { options: { replaceExisting: true } } },
    describe: () =>
      asked(async (client) => {
        const all = mongodbSamples.DATABASES.map((name) => mongodbSamples.describeDatabase(client, name));
        return (await Promise.all(all)).join('\n');
      }),
    damage: () => asked(mongodbSamples.damage),
  };
}

function ofRedis(server: RedisServer): DatabaseKind {
  redisSamples.fill(server);
  const { port } = server;
  return {
    task: (how) => ({ type: 'redis', ...at(how.port ?? port), dbPassword: LOGIN.password, extraConfig: {} }),
    ...{ found: ['db0', 'db3', 'db15'], port, restore: replaceLive },
    describe: () =>
      [redisSamples.digest(server), server.cli('PEXPIRETIME', 'expires soon'), server.cli('FUNCTION', 'LIST')].join(
        '\n',
      ),
    damage() {
      server.feed('SET plain changed\nDEL list\nSET new 1\nPERSIST "expires soon"\nSELECT 3\nFLUSHDB\nFUNCTION FLUSH');
    },
  };
}

function ofSqlite(folder: string): DatabaseKind {
  const [inWal = '', other = ''] = ['a b=c/db.sqlite', `-h'"é%/db.sqlite`].map((name) => path.join(folder, name));
  sqliteSamples.makeDatabase(inWal, 'wal');
  sqliteSamples.makeDatabase(other, 'delete', 100);
  return {
    task: () => ({ type: 'sqlite', extraConfig: { databases: [path.join(folder, '*/db.sqlite')] } }),
    ...{ found: [other, inWal], port: 0, restore: { options: { replaceExisting: true } } },
    describe: () => [inWal, other].map(sqliteSamples.dump).join('\n'),
    damage() {
      sqliteSamples.change(inWal);
      rmSync(path.dirname(other), { recursive: true });
    },
  };
}

/** Its files come back into a folder; what HANA does with them is HANA's. */
function ofHana(hana: FakeHana, folder: string): DatabaseKind {
  const [backupFolder, targetPath] = [path.join(folder, 'backup'), path.join(folder, 'restored')];
  for (const name of [backupFolder, targetPath]) mkdirSync(name);
  const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const line = (file: string, bytes: Buffer) => `${file.replace(/_\d{14}_/, '_')} ${bytes.length} ${sum(bytes)}`;
  // As the stand-in writes them.
  const files = (database: string) =>
    [100, 600_000, 600_000].map((length, number) =>
      line(`${database}/backupx_databackup_${number}_1`, Buffer.alloc(length, `${database}${number}`)),
    );
  const restored = () =>
    readdirSync(targetPath, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.includes('databackup'))
      .map((name) => line(name, readFileSync(path.join(targetPath, name))));
  let isDamaged = false;
  return {
    task: () => ({ type: 'saphana', extraConfig: { userStoreKey: 'BACKUPX', toolFolder: hana.folder, backupFolder } }),
    ...{ found: ['HDB', 'SYSTEMDB'], port: 0, restore: { targetPath } },
    describe: () => (isDamaged ? restored() : ['HDB', 'SYSTEMDB'].flatMap(files)).sort().join('\n'),
    damage() {
      isDamaged = true;
      for (const name of readdirSync(targetPath)) rmSync(path.join(targetPath, name), { recursive: true });
      expectEmpty(backupFolder);
    },
  };
}

function expectEmpty(folder: string): void {
  const [name] = readdirSync(folder);
  if (name !== undefined) throw new Error(`${folder} still has ${name}`);
}

export interface Databases {
  readonly kinds: Partial<Record<KindName, DatabaseKind>>;
  readonly hana: FakeHana;
  stop(): Promise<void>;
}

/** Starts one server of each, filled. */
export async function startDatabases(work: WorkFolder): Promise<Databases> {
  const stops: (() => Promise<void>)[] = [];
  const keep = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    stops.push(() => server.stop());
    return server;
  };
  const [postgresql, mariadb, redis, mongodb] = await Promise.all([
    // Data files that are copied eight times: as little log as may be. Nobody gives up on a dump that stands still.
    keep(startPostgresql({ initdb: ['--wal-segsize=1'], settings: ['wal_sender_timeout=0'] })),
    keep(startMariadb()),
    keep(
      startRedis({
        ...{ folder: work.at('redis'), password: LOGIN.password },
        args: [...redisSamples.DEBUG, '--repl-timeout', '600'],
      }),
    ),
    whyNot('mongodb') === '' ? keep(startFerretdb({ folder: work.at('mongodb'), login: LOGIN })) : null,
  ]);
  if (mongodb) {
    const client = new MongoClient(mongodb.uri);
    await mongodbSamples.fill(client).finally(() => client.close());
  }
  mkdirSync(work.at('saphana'));
  const hana = makeFakeHana(work.at('saphana', 'programs'));
  return {
    kinds: {
      ...ofPostgresql(postgresql),
      ...ofMariadb(mariadb),
      ...(mongodb ? { mongodb: ofMongodb(mongodb) } : {}),
      ...{ redis: ofRedis(redis), sqlite: ofSqlite(work.at('srv')), saphana: ofHana(hana, work.at('saphana')) },
    },
    hana,
    stop: async () => {
      for (const stop of stops) await stop();
    },
  };
}
