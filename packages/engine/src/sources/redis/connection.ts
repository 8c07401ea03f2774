/** A connection to a server, logged in. Passwords go over the socket alone: no program of others is involved. */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import { ByteStream, ConnectionEnded } from './byte-stream.ts';
import type { RedisConfig } from './config.ts';
import { failureOf, NoTlsAnswer } from './failures.ts';
import { encodeCommand, type RedisArgument, RedisRefusal, type RedisReply, readReply } from './resp.ts';

const CONNECT_SECONDS = 15;
const TLS_SECONDS = 8;
const REPLY_SECONDS = 60;
const PIECE_BYTES = 256 * 1024;

/** See above. Commands one after the other; `close` in every case. */
export class RedisConnection {
  readonly stream: ByteStream;
  readonly #socket: Socket;
  readonly #config: RedisConfig;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#socket.destroy(new AppError('CANCELLED'));
  #hasAnswered = false;

  /** Throws DATABASE_AUTH, DATABASE_UNREACHABLE, DATABASE_TLS, CANCELLED. */
  static async open(config: RedisConfig, signal: AbortSignal): Promise<RedisConnection> {
    try {
      const socket = await openSocket(config, signal);
      const connection = new RedisConnection(socket, config, signal);
      try {
        await connection.#logIn();
        connection.stream.idleSeconds = REPLY_SECONDS;
        return connection;
      } catch (error) {
        connection.close();
        throw error;
      }
    } catch (error) {
      if (signal.aborted) throw new AppError('CANCELLED');
      throw failureOf(error, config, 'log in');
    }
  }

  private constructor(socket: Socket, config: RedisConfig, signal: AbortSignal) {
    this.#socket = socket;
    this.#config = config;
    this.#signal = signal;
    this.stream = new ByteStream(socket, CONNECT_SECONDS);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** False as soon as it is known to be broken. */
  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** The reply, also a refusal. Throws DATABASE_UNREACHABLE and the like when the connection breaks. */
  async ask(...words: RedisArgument[]): Promise<RedisReply> {
    await this.send(...words);
    return await this.reply();
  }

  /** The reply. Throws what a refusal means; `action` says what was tried. */
  async demand(action: string, ...words: RedisArgument[]): Promise<RedisReply> {
    const reply = await this.ask(...words);
    if (reply instanceof RedisRefusal) throw this.failure(reply, action);
    return reply;
  }

  /** A reply that is text. */
  async demandText(action: string, ...words: RedisArgument[]): Promise<string> {
    return String(await this.demand(action, ...words));
  }

  /** Sends a command whose reply is read later; resolves when more may be sent. */
  async send(...words: RedisArgument[]): Promise<void> {
    await this.sendAll([words]);
  }

  /** The same for several at once, which is quicker. */
  async sendAll(commands: readonly (readonly RedisArgument[])[]): Promise<void> {
    const bytes = Buffer.concat(commands.map(encodeCommand));
    // A broken connection shows when its reply is read.
    for (let at = 0; at < bytes.byteLength && this.isOpen; at += PIECE_BYTES) {
      if (!this.#socket.write(bytes.subarray(at, at + PIECE_BYTES)) && this.isOpen) await this.#untilTaken();
    }
  }

  /** A server that stands still takes nothing for ever; a slow one takes one piece after the other. */
  async #untilTaken(): Promise<void> {
    const waiting = new AbortController();
    const seconds = this.stream.idleSeconds;
    const events = ['drain', 'close'] as const;
    const onEvent = () => waiting.abort();
    for (const event of events) this.#socket.on(event, onEvent);
    try {
      await systemClock.sleep(seconds * 1000, waiting.signal);
    } catch {
      return;
    } finally {
      for (const event of events) this.#socket.off(event, onEvent);
    }
    this.#socket.destroy(new AppError('TIMEOUT', { what: 'An answer of the server', seconds }));
  }

  async reply(): Promise<RedisReply> {
    try {
      const reply = await readReply(this.stream);
      this.#hasAnswered = true;
      return reply;
    } catch (error) {
      const isMute = !this.#hasAnswered && this.#config.tlsMode === 'disable' && !(error instanceof AppError);
      const doubt = isMute ? new Error(`${(error as Error).message} (perhaps this port wants TLS)`) : error;
      throw this.failure(doubt, 'answer');
    }
  }

  failure(error: unknown, action: string): AppError {
    return failureOf(error, this.#config, action);
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
  }

  async #logIn(): Promise<void> {
    const { dbUser, dbPassword } = this.#config;
    if (dbPassword !== '' || dbUser !== '') {
      const login = dbUser === '' ? [dbPassword] : [dbUser, dbPassword];
      await this.demand('log in', 'AUTH', ...login);
    }
    await this.demand('log in', 'PING');
  }
}

async function openSocket(config: RedisConfig, signal: AbortSignal): Promise<Socket> {
  const { dbHost: host, dbPort: port, tlsMode } = config;
  const place = host.startsWith('/') ? { path: host } : { host, port };
  const isTls = tlsMode !== 'disable';
  const socket = isTls ? connectTls({ ...place, ...tlsOptions(config) }) : connectPlain(place);
  // Whoever reads or waits is told; nobody else needs to be.
  socket.on('error', () => {});
  try {
    await untilOpen(socket, { isTls, signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

async function untilOpen(socket: Socket, { isTls, signal }: { isTls: boolean; signal: AbortSignal }): Promise<void> {
  const done = new AbortController();
  const limit = AbortSignal.any([signal, done.signal]);
  const tooLate = async (seconds: number, error: Error): Promise<void> => {
    await systemClock.sleep(seconds * 1000, limit);
    throw error;
  };
  const event = isTls ? 'secureConnect' : 'connect';
  try {
    await Promise.race([
      new Promise<void>((resolve, reject) => {
        socket.once(event, resolve);
        socket.once('error', reject);
        socket.once('close', () => reject(new ConnectionEnded()));
      }),
      tooLate(CONNECT_SECONDS, new Error(`no connection within ${CONNECT_SECONDS} s`)),
      // A server without TLS waits for the end of what it takes for a command.
      new Promise<void>((_resolve, reject) => {
        if (isTls) socket.once('connect', () => tooLate(TLS_SECONDS, new NoTlsAnswer()).catch(reject));
      }),
    ]);
  } finally {
    done.abort();
  }
}

function tlsOptions({ dbHost, tlsMode, tlsCa, tlsServerName, tlsCertificate, tlsKey }: RedisConfig): ConnectionOptions {
  const name = tlsServerName || dbHost;
  const given = (value: string) => (value.trim() === '' ? undefined : value);
  return {
    ca: given(tlsCa),
    cert: given(tlsCertificate),
    key: given(tlsKey),
    ...(isIP(name) || name.startsWith('/') ? {} : { servername: name }),
    rejectUnauthorized: tlsMode !== 'require',
    ...(tlsMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}
