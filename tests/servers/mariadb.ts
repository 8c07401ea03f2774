/**
 * A throw-away MariaDB from Debian's packages (`tests/install-peers.sh`), on loopback and in a folder of its own; up in
 * about two seconds. It runs as a child of the test process and dies with it.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { atExit } from '../support/at-exit.ts';
import { freePort } from '../support/start-program.ts';

const run = promisify(execFile);
/** Far more than it takes, also on a machine that is busy. */
const START_LIMIT_MS = 90_000;
const STEP_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 30_000;

export interface MariadbOptions {
  /** Lines for `[mysqld]`. */
  readonly settings?: readonly string[];
  /** PEM texts; without them the server offers no TLS. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** Data that is there already; left out: new data. */
  readonly dataFolder?: string;
}

export interface Mariadb {
  readonly port: number;
  readonly socket: string;
  readonly folder: string;
  /** Runs statements as root over the socket; answers rows, columns between tabs. */
  sql(statements: string, database?: string): string;
  /** The same; nothing comes of it when the server refuses. */
  tryTo(statements: string): void;
  /** Kills it, as a crash would; the data stays. */
  kill(): Promise<void>;
  isUp(): boolean;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a server whose user `root` has no password and may log in from everywhere on this machine. */
export async function startMariadb(options: MariadbOptions = {}): Promise<Mariadb> {
  const folder = mkdtempSync(path.join(tmpdir(), 'backupx-mariadb-'));
  const data = options.dataFolder ?? path.join(folder, 'data');
  const [socket, conf] = [path.join(folder, 's.sock'), path.join(folder, 'my.cnf')];
  const port = await freePort();
  let server: ChildProcess | null = null;
  let ending: Promise<unknown> = Promise.resolve();
  const removeAll = () => {
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = atExit(removeAll);

  async function kill(): Promise<void> {
    const running = server;
    server = null;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => running.once('close', () => resolve()));
    running.kill('SIGKILL');
    ending = Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS).unref())]);
    await ending;
  }

  async function start(): Promise<void> {
    await ending;
    server = spawn('setpriv', ['--pdeathsig', 'KILL', 'mariadbd', `--defaults-file=${conf}`], { stdio: 'ignore' });
    const deadlineMs = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadlineMs && server.exitCode === null) {
      const isUp = await run('mariadb-admin', ['--no-defaults', '-S', socket, '-u', 'root', 'ping']).then(
        () => true,
        () => false,
      );
      if (isUp) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`mariadbd did not come up; its log ends with:\n${readTail(path.join(folder, 'log'))}`);
  }

  const sql = (statements: string, database?: string): string => {
    const args = ['--no-defaults', '-S', socket, '-u', 'root', '-BN', '--comments', '--binary-mode'];
    args.push('--default-character-set=utf8mb4', ...(database === undefined ? [] : [`--database=${database}`]));
    return execFileSync('mariadb', args, {
      input: statements,
      encoding: 'utf8',
      maxBuffer: 1e9,
      timeout: STEP_LIMIT_MS,
    });
  };

  const tryTo = (statements: string): void => {
    try {
      sql(statements);
    } catch {
      // As it was said.
    }
  };

  try {
    const install = ['--no-defaults', '--basedir=/usr', `--datadir=${data}`, '--skip-test-db', ...asOurselves()];
    if (options.dataFolder === undefined) {
      await run('mariadb-install-db', [...install, '--auth-root-authentication-method=normal'], {
        timeout: STEP_LIMIT_MS,
        // It starts a server, which removes temporary tables of others from the folder they share.
        env: { ...process.env, TMPDIR: folder },
      });
    }
    writeFileSync(conf, configText({ folder, data, socket, port }, options));
    await start();
  } catch (error) {
    await kill();
    removeAll();
    forget();
    throw error;
  }
  return {
    ...{ port, socket, folder, sql, tryTo, kill, start, isUp: () => server !== null },
    async stop() {
      await kill();
      removeAll();
      forget();
    },
  };
}

const asOurselves = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

interface Layout {
  readonly folder: string;
  readonly data: string;
  readonly socket: string;
  readonly port: number;
}

function configText({ folder, data, socket, port }: Layout, { settings = [], tls }: MariadbOptions): string {
  const lines = [
    ...[
      '[mysqld]',
      `datadir=${data}`,
      `socket=${socket}`,
      `port=${port}`,
      'bind-address=127.0.0.1',
      `tmpdir=${folder}`,
    ],
    ...[`pid-file=${path.join(folder, 'pid')}`, `log-error=${path.join(folder, 'log')}`, 'skip-name-resolve'],
    ...['log-bin=bin', 'server-id=7', 'character-set-server=utf8mb4', 'innodb-buffer-pool-size=64M'],
    ...['innodb-flush-log-at-trx-commit=0', 'innodb-log-file-size=32M', ...settings],
  ];
  if (process.getuid?.() === 0) lines.push('user=root');
  if (tls) {
    mkdirSync(path.join(folder, 'tls'), { mode: 0o700 });
    writeFileSync(path.join(folder, 'tls/key.pem'), tls.key, { mode: 0o600 });
    writeFileSync(path.join(folder, 'tls/cert.pem'), tls.certificate);
    lines.push(`ssl-key=${folder}/tls/key.pem`, `ssl-cert=${folder}/tls/cert.pem`);
  }
  return `${lines.join('\n')}\n`;
}

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-8_000);
  } catch {
    return '(no log)';
  }
}
