/**
 * FerretDB over SQLite, a server that speaks MongoDB's protocol, on loopback with a private port and folder; built once
 * from the Go module proxy. It knows no users-and-roles catalogue, views, oplog or snapshots: what needs them is tested
 * elsewhere or told to be untested in docs/databases.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { findGoProgram, type GoProgram } from '../support/go-program.ts';
import { freePort } from '../support/start-program.ts';

const VERSION = 'v1.24.2';
/** Far more than it takes, also on a machine that is busy. */
const START_LIMIT_MS = 60_000;

export interface FerretdbServer {
  /** With user, password and TLS options, as they were asked for. */
  readonly uri: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** SIGTERM (or another), and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface FerretdbOptions {
  /** Made when it is not there; starting anew on it finds the data again. */
  readonly folder: string;
  /** Asks for a login by SCRAM-SHA-256. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Speaks TLS alone, by the name `localhost`. `clientCa`: and asks for a certificate that this authority signed. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string; readonly clientCa?: string };
  /** The certificate is for another name. */
  readonly skipsName?: boolean;
  /** What the server says the name of its replica set is. */
  readonly replicaSet?: string;
  readonly port?: number;
}

/** The program, or the reason why there is none. The first call builds it, which takes a minute or two. */
export function findFerretdb(): GoProgram {
  return findGoProgram({
    name: 'ferretdb',
    module: 'github.com/FerretDB/FerretDB',
    version: VERSION,
    folder: 'cmd/ferretdb',
    files: { 'build/version/version.txt': `${VERSION}\n` },
  });
}

function argsOf({ folder, login, tls, replicaSet }: FerretdbOptions, port: number): string[] {
  const args = ['--handler=sqlite', `--sqlite-url=file:${path.join(folder, 'data')}/`, `--state-dir=${folder}`];
  args.push('--telemetry=disable', '--debug-addr=-', '--log-level=error');
  if (tls) {
    args.push('--listen-addr=', `--listen-tls=127.0.0.1:${port}`);
    args.push(`--listen-tls-cert-file=${tls.cert}`, `--listen-tls-key-file=${tls.key}`);
    if (tls.clientCa) args.push(`--listen-tls-ca-file=${tls.clientCa}`);
  } else args.push(`--listen-addr=127.0.0.1:${port}`);
  if (replicaSet) args.push(`--repl-set-name=${replicaSet}`);
  if (login) {
    args.push('--test-enable-new-auth', '--setup-database=admin');
    args.push(`--setup-username=${login.user}`, `--setup-password=${login.password}`);
  }
  return args;
}

function uriOf({ login, tls, skipsName }: FerretdbOptions, port: number): string {
  const user = login ? `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@` : '';
  const name = skipsName ? '&tlsAllowInvalidHostnames=true' : '';
  const more = tls ? `?tls=true&tlsCAFile=${encodeURIComponent(tls.ca)}${name}` : '';
  return `mongodb://${user}${tls ? 'localhost' : '127.0.0.1'}:${port}/${more}`;
}

/** Starts it and waits until it answers. `findFerretdb` must have found a program. */
export async function startFerretdb(options: FerretdbOptions): Promise<FerretdbServer> {
  const { program, whyNot } = findFerretdb();
  if (program === null) throw new Error(whyNot);
  const { folder } = options;
  mkdirSync(path.join(folder, 'data'), { recursive: true });
  const port = options.port ?? (await freePort());
  const logFile = path.join(folder, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn(program, argsOf(options, port), { stdio: ['ignore', log, log], cwd: folder });
  const server: FerretdbServer = {
    uri: uriOf(options, port),
    port,
    process: child,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await gone;
    },
  };
  const deadlineMs = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadlineMs && child.exitCode === null) {
    if (await answers(server.uri, options)) return server;
    await sleep(50);
  }
  await server.stop('SIGKILL');
  throw new Error(`FerretDB did not start: ${readFileSync(logFile, 'utf8').slice(-500)}`);
}

/** One that asks for certificates of clients is up when it refuses us for want of one. */
async function answers(uri: string, { tls }: FerretdbOptions): Promise<boolean> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 1000 });
  try {
    await client.db('admin').command({ ping: 1 });
    return true;
  } catch (error) {
    return tls?.clientCa !== undefined && /certificate|alert/i.test(String(error));
  } finally {
    await client.close();
  }
}
