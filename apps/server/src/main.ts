/**
 * The master as a function: read the configuration, lock the data folder, build the app, listen; stop in reverse.
 * `backupx server` and `backupx quickstart` call it; nothing else of the server is visible from outside.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { AppError } from '@backupx/contracts/errors';
import { createEngine } from '@backupx/engine';
import { systemClock } from '@backupx/engine/ports/clock';
import { type App, createApp } from './app.ts';
import { createLogger } from './config/create-logger.ts';
import { type LoadConfigOptions, loadConfig } from './config/load-config.ts';
import { lockDataDir } from './database/lock-data-dir.ts';
import { openDatabase } from './database/open-database.ts';
import { createFirstAdmin, type FirstAdmin } from './features/auth/create-first-admin.ts';
import { openAdminSession } from './features/auth/open-admin-session.ts';
import { resetPassword as resetPasswordIn } from './features/auth/reset-password.ts';

export interface RunServerOptions extends LoadConfigOptions {
  /** Stop on SIGTERM and SIGINT; default true. A second signal ends the process at once. */
  readonly handleSignals?: boolean;
}

export interface RunningServer {
  /** Address for this machine, e.g. `http://127.0.0.1:8340`. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Throws AUTH_SETUP_DONE when there is any user. */
  createFirstAdmin(admin: FirstAdmin): Promise<void>;
  /** Bearer token of a new session of the first administrator; null: there is none. For commands on this machine. */
  openAdminSession(): Promise<string | null>;
  /** Idempotent; takes at most 30 s. */
  stop(): Promise<void>;
  /** Resolves when the server has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
}

const ENGINE_GRACE_MS = 5_000;

export function serverVersion(): string {
  const file = fileURLToPath(new URL('../package.json', import.meta.url));
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

async function listen(app: App, { host, port }: { host: string; port: number }): Promise<number> {
  try {
    await app.fastify.listen({ host, port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('CONFIG_INVALID', { problems: `server.host, server.port: ${reason}` }, { cause: error });
  }
  return (app.fastify.server.address() as AddressInfo).port;
}

/** Runs `stop` at the first signal and ends the process at the second. Answers the function that lets go. */
function stopOnSignals(stop: () => Promise<void>): () => void {
  let count = 0;
  const onSignal = () => {
    count += 1;
    if (count > 1) process.exit(130);
    stop().catch(() => process.exit(1));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return () => {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  };
}

/** Starts the master. Throws CONFIG_INVALID or ALREADY_RUNNING; then nothing is left open. */
export async function runServer(options: RunServerOptions = {}): Promise<RunningServer> {
  const config = loadConfig(options);
  const logger = createLogger(config.log);
  const lock = lockDataDir(config.dataDir);
  const engine = createEngine({
    tempDir: config.backup.tempDir,
    ...(config.backup.threads > 0 && { compressionParallelism: config.backup.threads }),
    nice: config.backup.nice,
    storageAttempts: config.backup.retries + 1,
    storagePatienceMs: config.backup.storagePatienceMs,
  });
  const version = serverVersion();
  const consoleDir = fileURLToPath(new URL('../../web/dist', import.meta.url));
  let app: App | undefined;
  let letGo = () => {};
  const { promise: stopped, resolve: markStopped } = Promise.withResolvers<void>();

  const shutDown = async () => {
    try {
      await app?.stop();
    } finally {
      await engine.close(ENGINE_GRACE_MS).catch((error: unknown) => logger.error({ err: error }, 'engine close'));
      lock.release();
      letGo();
      markStopped();
    }
  };
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= shutDown().then(() => logger.info({}, 'stopped'));
    return stopping;
  };

  try {
    app = await createApp({ config, engine, clock: systemClock, logger, version, consoleDir, validateOutput: false });
    await app.start();
    const port = await listen(app, config.server);
    if (options.handleSignals ?? true) letGo = stopOnSignals(stop);
    logger.info({ port, dataDir: config.dataDir, version }, 'listening');
    const deps = { db: app.db, clock: systemClock, sessionTtlMs: config.security.sessionTtlMs };
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      dataDir: config.dataDir,
      createFirstAdmin: async (admin) => void (await createFirstAdmin(deps, admin)),
      openAdminSession: () => openAdminSession(deps),
      stop,
      stopped,
    };
  } catch (error) {
    await shutDown();
    throw error;
  }
}

/** Sets a user's password; works beside a running server. Throws USER_NOT_FOUND, INVALID_INPUT, CONFIG_INVALID. */
export async function resetPassword(
  options: LoadConfigOptions,
  change: { readonly username: string; readonly password: string },
): Promise<void> {
  const { db, close } = await openDatabase(loadConfig(options).database);
  try {
    await resetPasswordIn({ db, clock: systemClock }, change);
  } finally {
    await close();
  }
}
