/** The whole server over a memory database and an engine without drivers of its own; for tests of routes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toDriverManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import { type Clock, systemClock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { z } from 'zod';
import { type App, createApp } from './app.ts';
import type { ServerConfig } from './config/config-schema.ts';
import { createLogger } from './config/create-logger.ts';
import { loadConfig } from './config/load-config.ts';

/** A storage with a secret, as drivers declare it. */
const vault = z.object({
  address: z.string().min(1).meta({ label: 'Address' }),
  password: z.string().min(1).meta({ label: 'Password', secret: true }),
  retries: z.number().default(2),
});

export const testIdentity = 'AGE-SECRET-KEY-1TESTTESTTEST';

/** `failTest` makes the storage test fail with the password in its cause, as an SDK might. */
export function createTestEngine(options: { failTest?: () => boolean } = {}): Engine & { tested: unknown[] } {
  const tested: unknown[] = [];
  const parse = (type: string, config: unknown) => {
    if (type !== 'vault') throw new AppError('STORAGE_TYPE_UNKNOWN', { type, known: 'vault' });
    const result = vault.safeParse(config);
    if (result.success) return result.data;
    const fields = result.error.issues.map((issue) => ({
      path: `config.${issue.path.join('.')}`,
      code: issue.code,
      message: issue.message,
    }));
    throw new AppError('INVALID_INPUT', {}, { fields });
  };
  const run = async (job: { kind: string; storage?: unknown }) => {
    if (job.kind !== 'test_storage') throw new AppError('NOT_SUPPORTED', { what: job.kind, hint: '' });
    tested.push(job.storage);
    if (options.failTest?.()) {
      const cause = new Error(`denied for ${JSON.stringify(job.storage)}`);
      throw new AppError('STORAGE_TEST_FAILED', { step: 'write', reason: 'denied' }, { cause });
    }
    return { steps: [{ name: 'write', durationMs: 1 }], usage: null };
  };
  return {
    tested,
    run: run as unknown as Engine['run'],
    manifests: {
      sources: [toDriverManifest({ kind: 'source', type: 'files', title: 'Files', config: z.object({}) })],
      storages: [toDriverManifest({ kind: 'storage', type: 'vault', title: 'Vault', config: vault })],
    },
    parseSettings: (kind, type, config) =>
      kind === 'source' ? (config as Record<string, unknown>) : parse(type, config),
    targetSettings: async ({ config }) => config,
    openStorage: () => {
      const usage = async () => ({ usedBytes: 1, freeBytes: 2, totalBytes: 3 });
      return { usage } as unknown as ReturnType<Engine['openStorage']>;
    },
    decrypt: (body) => body,
    async *openSnapshotStream() {},
    createEncryptionKey: async () => ({ identity: testIdentity, recipient: 'age1test' }),
    close: async () => {},
  };
}

export interface TestApp extends App {
  readonly config: ServerConfig;
  /** Everything that was logged so far. */
  logText(): string;
  inject(options: InjectOptions): Promise<LightMyRequestResponse>;
  /** Sets up `admin` and answers its bearer token. */
  signUp(): Promise<string>;
  /** Stops the app and removes its folder. */
  close(): Promise<void>;
}

export interface TestAppOptions {
  readonly engine?: Engine;
  readonly clock?: Clock;
  readonly flags?: Record<string, unknown>;
  /** Keeps state between two apps of one test. */
  readonly dataDir?: string;
  readonly consoleDir?: string;
}

export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'backupx-app-'));
  const flags = { data_dir: dataDir, 'log.level': 'trace', ...options.flags };
  const config = loadConfig({ flags, env: {}, cwd: dataDir });
  const lines: string[] = [];
  const logger = createLogger(config.log, { write: (line) => void lines.push(line) });
  const app = await createApp({
    config,
    engine: options.engine ?? createTestEngine(),
    clock: options.clock ?? systemClock,
    logger,
    version: '0.0.0-test',
    consoleDir: options.consoleDir ?? join(dataDir, 'no-console'),
    validateOutput: true,
  });
  await app.fastify.ready();
  const inject = (request: InjectOptions) => app.fastify.inject(request);
  return {
    ...app,
    config,
    logText: () => lines.join(''),
    inject,
    async signUp() {
      const payload = { username: 'admin', password: 'correct horse' };
      const answer = await inject({ method: 'POST', url: '/api/auth/setup', payload });
      return answer.json().data.token as string;
    },
    async close() {
      await app.stop();
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
