/** A real redis-server on loopback, with a private port and folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/start-program.ts';

/** Far more than it takes, also on a machine that is busy. */
const START_LIMIT_MS = 60_000;

export interface RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly socket: string;
  readonly process: ChildProcess;
  /** Runs redis-cli over the socket as the default user, with this input or these words; answers what it prints. */
  cli(...words: string[]): string;
  /** Runs many commands, one a line. */
  feed(commands: string): void;
  /** SIGTERM (or another), and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface RedisOptions {
  readonly folder: string;
  /** Arguments as in a configuration file, `--` before each name. */
  readonly args?: readonly string[];
  readonly password?: string;
  /** Also speaks TLS, on the port alone, with a certificate for `localhost`. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** Starts it and waits until it answers. */
export async function startRedis({ folder, args = [], password, tls }: RedisOptions): Promise<RedisServer> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const socket = path.join(folder, 'redis.sock');
  const ports = tls
    ? ['--port', '0', '--tls-port', String(port), '--tls-cert-file', tls.cert, '--tls-key-file', tls.key]
    : ['--port', String(port)];
  const more = tls ? ['--tls-ca-cert-file', tls.ca, '--tls-auth-clients', 'no'] : [];
  const login = password === undefined ? [] : ['--requirepass', password];
  const child = spawn(
    'redis-server',
    [
      ...[...ports, ...more, ...login, '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', folder],
      ...[
        '--save',
        '',
        '--repl-diskless-sync-delay',
        '0',
        '--daemonize',
        'no',
        '--logfile',
        path.join(folder, 'log'),
        ...args,
      ],
    ],
    { stdio: 'ignore', cwd: folder },
  );
  const env = { ...process.env, ...(password === undefined ? {} : { REDISCLI_AUTH: password }) };
  const run = (words: readonly string[], input?: string) =>
    execFileSync('redis-cli', ['-s', socket, ...words], {
      env,
      input,
      maxBuffer: 1e9,
      stdio: ['pipe', 'pipe', 'pipe'],
    }).toString();
  const server: RedisServer = {
    port,
    folder,
    socket,
    process: child,
    cli: (...words) => run(words).replace(/\n$/, ''),
    feed: (commands) => {
      run([], commands);
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await gone;
    },
  };
  const deadlineMs = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadlineMs && child.exitCode === null) {
    try {
      if (server.cli('PING') === 'PONG') return server;
    } catch {
      // Not yet.
    }
    await sleep(50);
  }
  await server.stop('SIGKILL');
  throw new Error('redis-server did not start');
}

/** A certificate authority and a certificate for `localhost`, made with openssl. */
export function makeCertificates(folder: string): { cert: string; key: string; ca: string; otherCa: string } {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  for (const name of ['ca', 'other']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
    );
  }
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    at('server.key'),
    '-out',
    at('server.csr'),
  );
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost\n');
  openssl(
    'x509',
    '-req',
    '-in',
    at('server.csr'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    at('names'),
    '-out',
    at('server.pem'),
  );
  return { cert: at('server.pem'), key: at('server.key'), ca: at('ca.pem'), otherCa: at('other.pem') };
}
