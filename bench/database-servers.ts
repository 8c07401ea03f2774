/** Real servers with a database of rows like those of a shop, and the plain programs that dump and load them. */
import type { DriverSettings } from '@backupx/contracts/jobs';
import { startMariadb } from '../tests/servers/mariadb.ts';
import { PASSWORD, PROGRAMS, startPostgresql } from '../tests/servers/postgresql.ts';

/** Rows of about 210 bytes: 4.8 million are 1 GB of dump. */
const ROWS = 4_800_000;
const ROWS_AT_ONCE = 200_000;

export interface BenchDatabase {
  readonly title: string;
  /** Program in front of the columns of a table. */
  readonly plainTool: string;
  readonly source: DriverSettings;
  /** Shell command that writes a plain dump to standard output. */
  readonly dump: string;
  /** Shell command that makes the database anew and loads what comes on standard input. */
  readonly load: string;
  readonly env: Readonly<Record<string, string>>;
  /** Changes one per cent of the rows, in ten places, as days of orders would be. */
  change(): void;
  /** Bytes and a digest of all rows, to compare before and after. */
  digest(): string;
  stop(): Promise<void>;
}

const words = ['pending', 'parcel', 'invoice', 'returned', 'express', 'customer', 'morning', 'blue', 'paper', 'signed'];
const list = words.map((word) => `'${word}'`).join(',');

/** Expression for a text of six words; the same for the same row. */
function noteOf(pick: (salt: number) => string): string {
  return [7, 11, 13, 17, 19, 23].map(pick).join(`, ' ', `);
}

export async function startPostgresqlBench(scale: number): Promise<BenchDatabase> {
  const server = await startPostgresql({ settings: ["shared_buffers='256MB'", "max_wal_size='4GB'"] });
  const total = Math.round(ROWS * scale);
  server.sql('CREATE DATABASE shop');
  server.sql(
    'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, placed timestamptz, token text, note text, cents int)',
    'shop',
  );
  const note = noteOf((salt) => `(ARRAY[${list}])[1 + (id * ${salt} / 3) % 10]`);
  for (let from = 1; from <= total; from += ROWS_AT_ONCE) {
    const to = Math.min(total, from + ROWS_AT_ONCE - 1);
    server.sql(
      `INSERT INTO orders SELECT id, id * 7919 % 100003, timestamptz '2026-01-01' + id * interval '7 seconds',
         md5(id::text) || md5((id * 3)::text), concat(${note}), id * 31 % 99991 FROM generate_series(${from}::bigint, ${to}::bigint) AS id`,
      'shop',
    );
  }
  server.sql('CREATE INDEX ON orders (customer); ANALYZE', 'shop');
  let version = 0;
  const to = `-h ${server.folder} -p ${server.port} -U postgres`;
  return {
    title: 'PostgreSQL',
    plainTool: 'pg_dump',
    source: {
      type: 'postgresql',
      config: {
        ...{ dbHost: server.folder, dbPort: server.port, dbPassword: PASSWORD, databases: ['shop'] },
        includeGlobals: false,
      },
    },
    dump: `${PROGRAMS}/pg_dump ${to} shop`,
    load: `${PROGRAMS}/dropdb ${to} --if-exists shop; ${PROGRAMS}/createdb ${to} shop; ${PROGRAMS}/psql ${to} -Xq1 -v ON_ERROR_STOP=1 -o /dev/null shop`,
    env: { PGPASSWORD: PASSWORD },
    change() {
      version += 1;
      for (let place = 0; place < 10; place++) {
        const from = Math.floor((total / 10) * (place + 0.3));
        server.sql(
          `UPDATE orders SET note = note || ' v${version}' WHERE id BETWEEN ${from} AND ${from + Math.floor(total / 1000)}`,
          'shop',
        );
      }
    },
    digest: () => server.sql('SELECT count(*), sum(hashtextextended(orders::text, 0)) FROM orders', 'shop'),
    stop: () => server.stop(),
  };
}

export async function startMariadbBench(scale: number): Promise<BenchDatabase> {
  const server = await startMariadb({
    settings: ['innodb_buffer_pool_size=512M', 'innodb_flush_log_at_trx_commit=0', 'max_allowed_packet=256M'],
  });
  const total = Math.round(ROWS * scale);
  server.sql('CREATE DATABASE shop');
  server.sql(
    'CREATE TABLE orders (id bigint PRIMARY KEY, customer int, placed datetime, token text, note text, cents int, KEY (customer))',
    'shop',
  );
  const note = noteOf((salt) => `ELT(1 + (seq * ${salt} DIV 3) % 10, ${list})`);
  for (let from = 1; from <= total; from += ROWS_AT_ONCE) {
    const to = Math.min(total, from + ROWS_AT_ONCE - 1);
    server.sql(
      `INSERT INTO orders SELECT seq, seq * 7919 % 100003, '2026-01-01' + INTERVAL seq * 7 SECOND,
         CONCAT(MD5(seq), MD5(seq * 3)), CONCAT(${note}), seq * 31 % 99991 FROM seq_${from}_to_${to}`,
      'shop',
    );
  }
  let version = 0;
  const to = `--no-defaults -S ${server.socket} -u root`;
  return {
    title: 'MariaDB',
    plainTool: 'mariadb-dump',
    source: {
      type: 'mysql',
      config: { dbHost: '127.0.0.1', dbPort: server.port, dbUser: 'root', databases: ['shop'] },
    },
    dump: `mariadb-dump ${to} --single-transaction --quick --routines --triggers --events shop`,
    load: `mariadb ${to} -e 'DROP DATABASE IF EXISTS shop; CREATE DATABASE shop'; mariadb ${to} shop`,
    env: {},
    change() {
      version += 1;
      for (let place = 0; place < 10; place++) {
        const from = Math.floor((total / 10) * (place + 0.3));
        server.sql(
          `UPDATE orders SET note = CONCAT(note, ' v${version}') WHERE id BETWEEN ${from} AND ${from + Math.floor(total / 1000)}`,
          'shop',
        );
      }
    },
    digest: () => server.sql('CHECKSUM TABLE orders EXTENDED', 'shop'),
    stop: () => server.stop(),
  };
}
