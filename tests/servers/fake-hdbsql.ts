/**
 * A stand-in for SAP's hdbsql and the database behind it: knows the questions and the statement forms of the source, writes
 * files as HANA does, keeps a catalogue, and fails in the ways a test asks for. There is no real HANA to test with.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface FakeState {
  key: string;
  databases: { name: string; status: 'YES' | 'NO' }[];
  /** Per database: `error`: an SQL error, exit code 0; `failed`: the catalogue says so, nothing else does; `short`, `missing`: a file is; `killed`; `slow`. */
  failures: Record<string, 'error' | 'failed' | 'short' | 'missing' | 'killed' | 'slow'>;
  privileges: string[];
  /** Rows of M_CONNECTIONS that the conditions of the source let through. */
  connections: Record<string, string>[];
  /** Length of each data file. */
  sizeBytes: number;
  /** Of bytes that nothing makes smaller; else each file repeats its own name. */
  isRandom: boolean;
}

export interface FakeHana {
  /** Holds `hdbsql`. */
  readonly folder: string;
  set(state: Partial<FakeState>): void;
  /** Arguments of every call so far. */
  calls(): string[][];
  /** The last statement of each call that begins with this. */
  statements(start: string): string[];
}

const script = `
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
const folder = import.meta.dirname;
const at = (name) => path.join(folder, name);
const args = process.argv.slice(2);
appendFileSync(at('calls'), JSON.stringify(args) + '\\n');
const state = JSON.parse(readFileSync(at('state.json'), 'utf8'));
const catalogue = existsSync(at('catalogue.json')) ? JSON.parse(readFileSync(at('catalogue.json'), 'utf8')) : [];
// In one step: a test kills it as soon as this is there.
function save() {
  writeFileSync(at('catalogue.new'), JSON.stringify(catalogue));
  renameSync(at('catalogue.new'), at('catalogue.json'));
}
const fail = (code, text) => { console.error('* ' + code + ': ' + text + ' SQLSTATE: HY000'); process.exit(code === 447 ? 0 : 3); };
const unquote = (text, sign) => text.replaceAll(sign + sign, sign);
if (args[0] !== '-U' || args[1] !== state.key) fail(10, 'authentication failed');
const statement = args.at(-1);
if (statement.startsWith('SELECT ')) query();
else if (statement.startsWith('BACKUP CANCEL ')) cancel();
else await backup();

function query() {
  const columns = [...statement.matchAll(/TO_NVARCHAR\\((?:LOCALTOUTC\\()?([A-Z_]+)\\)/g)].map((found) => found[1]);
  const table = / FROM (\\S+)/.exec(statement)[1];
  const database = / DATABASE_NAME = '((?:[^']|'')*)'/.exec(statement);
  const comment = / "COMMENT" = '((?:[^']|'')*)'/.exec(statement);
  const id = / BACKUP_ID = (\\d+)/.exec(statement);
  const rows = {
    M_DATABASES: () => state.databases.map((item) => ({ DATABASE_NAME: item.name, ACTIVE_STATUS: item.status })),
    M_DATABASE: () => [{ VERSION: '2.00.059.00.1636613990' }],
    EFFECTIVE_PRIVILEGES: () => state.privileges.map((item) => ({ PRIVILEGE: item })),
    'SYS_DATABASES.M_CONNECTIONS': () => state.connections,
    'SYS_DATABASES.M_BACKUP_CATALOG': () => catalogue,
    'SYS_DATABASES.M_BACKUP_CATALOG_FILES': () => catalogue.flatMap((item) => item.files.map((file) => ({ ...item, ...file }))),
  }[table]?.() ?? fail(259, 'invalid table name');
  const found = rows.filter((row) => (!database || row.DATABASE_NAME === unquote(database[1], "'")) && (!comment || row.COMMENT === comment[1]) && (!id || String(row.BACKUP_ID) === id[1]));
  for (const row of found) {
    console.log('"row:' + columns.map((column) => Buffer.from(String(row[column] ?? '')).toString('hex').toUpperCase()).join(':') + '"');
  }
}

function cancel() {
  const entry = catalogue.find((item) => String(item.BACKUP_ID) === statement.slice(14));
  entry.STATE_NAME = 'cancelled';
  save();
}

async function backup() {
  const form = /^BACKUP DATA(?: (INCREMENTAL|DIFFERENTIAL))?(?: FOR "((?:[^"]|"")*)")? USING (FILE|BACKINT) \\((?:'((?:[^']|'')*)', )?'([^']*)'\\) COMMENT '([^']*)'$/.exec(statement);
  if (!form) fail(257, 'sql syntax error');
  const [, kind, tenant, way, quotedFolder, prefix, comment] = form;
  const name = tenant === undefined ? 'SYSTEMDB' : unquote(tenant, '"');
  if (!state.databases.some((item) => item.name === name)) fail(447, 'backup could not be completed, database does not exist');
  const failure = state.failures[name];
  if (failure === 'error') fail(447, 'backup could not be completed, [110088] disk full');
  const target = quotedFolder === undefined ? '' : unquote(quotedFolder, "'");
  const files = [0, 1, 2].map((number) => ({
    DESTINATION_PATH: path.join(target || '/usr/sap/backint', prefix + '_databackup_' + number + '_1'),
    BACKUP_SIZE: number === 0 ? 100 : state.sizeBytes,
  }));
  const entry = {
    DATABASE_NAME: name, COMMENT: comment, BACKUP_ID: 1700000000000 + catalogue.length, STATE_NAME: 'running',
    ENTRY_TYPE_NAME: (kind ?? 'complete').toLowerCase() + ' data backup', MESSAGE: '', UTC_END_TIME: '2026-01-02 03:04:05.000', files,
  };
  catalogue.push(entry);
  save();
  if (failure === 'killed') process.kill(process.pid, 'SIGKILL');
  if (failure === 'slow') await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (way === 'FILE') {
    for (const [number, file] of files.entries()) {
      if (failure === 'missing' && number === 2) continue;
      const length = file.BACKUP_SIZE - (failure === 'short' && number === 1 ? 1 : 0);
      try {
        writeFileSync(file.DESTINATION_PATH, state.isRandom ? randomBytes(length) : Buffer.alloc(length, name + number));
      } catch (error) {
        entry.STATE_NAME = 'failed';
        save();
        fail(447, 'backup could not be completed, ' + error.message);
      }
    }
  }
  entry.STATE_NAME = failure === 'failed' ? 'failed' : 'successful';
  if (failure === 'failed') entry.MESSAGE = 'internal error';
  save();
}
`;

/** Makes one in `folder`. */
export function makeFakeHana(folder: string): FakeHana {
  mkdirSync(folder);
  const at = (name: string) => path.join(folder, name);
  let state: FakeState = {
    key: 'BACKUPX',
    databases: [
      { name: 'SYSTEMDB', status: 'YES' },
      { name: 'HDB', status: 'YES' },
    ],
    failures: {},
    privileges: ['BACKUP ADMIN', 'CATALOG READ', 'DATABASE ADMIN'],
    connections: [],
    sizeBytes: 600_000,
    isRandom: false,
  };
  const save = () => {
    writeFileSync(at('state.new'), JSON.stringify(state));
    renameSync(at('state.new'), at('state.json'));
  };
  save();
  writeFileSync(at('hdbsql.mjs'), script);
  writeFileSync(at('hdbsql'), `#!/bin/sh\nexec '${process.execPath}' '${at('hdbsql.mjs')}' "$@"\n`, { mode: 0o755 });
  const calls = (): string[][] =>
    existsSync(at('calls'))
      ? readFileSync(at('calls'), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
      : [];
  return {
    folder,
    set(more) {
      state = { ...state, ...more };
      save();
    },
    calls,
    statements: (start) => calls().flatMap((args) => (args.at(-1)?.startsWith(start) ? [args.at(-1) ?? ''] : [])),
  };
}
