import { describe, expect, it } from 'vitest';
import { failureOf, SqlFailure } from './failures.ts';
import { statementsFor } from './globals.ts';
import { programsForRestore, programsForServer } from './programs.ts';
import { findLeftovers } from './scratch-name.ts';

const place = { tool: 'pg_dump', server: 'PostgreSQL at db:5432', user: 'me', database: 'shop' };
const codeOf = (messages: string, exitCode: number | null = 1, signal: NodeJS.Signals | null = null) =>
  failureOf({ messages, exitCode, signal }, place).code;
const connection = 'psql: error: connection to server at "127.0.0.1", port 5432 failed: ';

describe('what a program says', () => {
  it.each([
    [`${connection}FATAL:  password authentication failed for user "me"`, 'DATABASE_AUTH'],
    [`${connection}server does not support SSL, but SSL was required`, 'DATABASE_TLS'],
    [`${connection}SSL error: certificate verify failed`, 'DATABASE_TLS'],
    [`${connection}FATAL:  database "shop" does not exist`, 'DATABASE_NOT_FOUND'],
    [`${connection}Connection refused\n\tIs the server running?`, 'DATABASE_UNREACHABLE'],
    [`${connection}FATAL:  permission denied for database "shop"`, 'DATABASE_PERMISSION'],
    ['pg_dump: error: query failed: ERROR:  permission denied for table ssl_certificates', 'DATABASE_PERMISSION'],
    ['pg_restore: error: could not execute query: ERROR:  relation "ssl" already exists', 'DATABASE_TOOL_FAILED'],
    [
      'psql:<stdin>:1: FEHLER:  42501: keine Berechtigung\nLOCATION:  aclcheck_error, aclchk.c:2800',
      'DATABASE_PERMISSION',
    ],
    ['psql:<stdin>:1: ERROR:  42P07: relation "certificate" already exists', 'DATABASE_TOOL_FAILED'],
  ])('%s', (messages, code) => {
    expect(codeOf(messages)).toBe(code);
  });

  it('counts less than that it was killed, and keeps the code of the server', () => {
    expect(codeOf(`${connection}Connection refused`, null, 'SIGKILL')).toBe('DATABASE_TOOL_FAILED');
    const { cause, message } = failureOf(
      { messages: 'ERROR:  55006: in use\nLOCATION:  x', exitCode: 3, signal: null },
      place,
    );
    expect(cause).toEqual(new SqlFailure('55006'));
    expect(message).not.toContain('LOCATION');
  });
});

describe('programs', () => {
  const installed = [14, 15, 17].map((major) => ({ major, version: `${major}.1`, folder: '' }));

  it('are those of the server, else the next newer, never older', () => {
    expect(programsForServer(installed, 15, '15.2').major).toBe(15);
    expect(programsForServer(installed, 16, '16.2').major).toBe(17);
    expect(() => programsForServer(installed, 18, '18.0')).toThrow(/17\.1.*18\.0/);
  });

  it('of a restore read the dump and know the server', () => {
    expect(programsForRestore(installed, 14, 15).major).toBe(15);
    expect(programsForRestore(installed, 16, 14).major).toBe(17);
    expect(() => programsForRestore(installed, 18, 15)).toThrow('does not fit');
  });
});

it('knows the scratch databases of restores that are gone', () => {
  const started = 1_796_000_000_000_000;
  const name = (pid: number) => `backupx_restore_${pid}_${started.toString(36)}_1`;
  const backends = [
    { pid: 1, started },
    { pid: 2, started: started + 1 },
    { pid: 3, started: null },
  ];
  expect(findLeftovers([name(1), name(2), name(3), name(4), 'shop', 'backupx_restore_x'], backends)).toEqual([
    name(2),
    name(4),
  ]);
});

it('takes from the globals what is about new roles, without who granted it', () => {
  const sql = `CREATE ROLE a;\nALTER ROLE a WITH LOGIN PASSWORD 'SCRAM;x';\nCREATE ROLE b;\nALTER ROLE b WITH SUPERUSER;
    ALTER ROLE a SET work_mem TO '1MB';\nGRANT b TO a WITH INHERIT TRUE GRANTED BY postgres;\nGRANT b TO c;
    COMMENT ON ROLE a IS 'x';\nGRANT ALL ON TABLESPACE t TO a;`;
  expect(statementsFor(sql, new Set(['a']))).toEqual([
    `ALTER ROLE a WITH LOGIN PASSWORD 'SCRAM;x'`,
    `ALTER ROLE a SET work_mem TO '1MB'`,
    'GRANT b TO a WITH INHERIT TRUE',
    `COMMENT ON ROLE a IS 'x'`,
  ]);
});
