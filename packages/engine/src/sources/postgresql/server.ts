/**
 * A server as PostgreSQL's programs reach it: a connection string without a secret, files for what is secret, and the
 * user they run as. Nothing of it is in an argument or in the environment that others may not see.
 */
import { chmodSync, existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { isSuccess, runTool, type ToolCommand } from '../../ports/processes.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import { installedPrograms, type Programs } from './programs.ts';
import type { ServerSettings } from './settings.ts';
import { quoteConninfo } from './sql-text.ts';

/** How our sessions are called in the lists of the server. */
export const PROGRAM_NAME = 'backupx';

/** A user of this machine. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

const CONNECT_LIMIT_S = 15;
const ASK_LIMIT_MS = 10_000;
/**
 * A peer that is gone without a word is noticed within some minutes, and no gateway forgets the session that holds the
 * snapshot while a long dump goes on beside it.
 */
const ALIVE = { keepalives_idle: '60', keepalives_interval: '20', keepalives_count: '6' };
/** Where systems keep the authorities they trust. */
const AUTHORITIES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** See above. `close` removes its secrets. */
export class Server {
  readonly settings: ServerSettings;
  /** For people. */
  readonly label: string;
  readonly installed: readonly Programs[];
  readonly secrets: SecretFolder;
  readonly #runAs: SystemUser | null;
  readonly #parameters: Readonly<Record<string, string>>;

  private constructor(parts: {
    settings: ServerSettings;
    installed: readonly Programs[];
    secrets: SecretFolder;
    runAs: SystemUser | null;
  }) {
    this.settings = parts.settings;
    this.installed = parts.installed;
    this.secrets = parts.secrets;
    this.#runAs = parts.runAs;
    const { dbHost, dbPort } = parts.settings;
    this.label = `PostgreSQL at ${dbHost.startsWith('/') ? dbHost : `${dbHost}:${dbPort}`}`;
    this.#parameters = writeSecrets(parts.settings, parts.secrets);
  }

  /** Connects to nothing yet. Throws DATABASE_TOOL_MISSING, DATABASE_TLS, SOURCE_FAILED. */
  static async open(settings: ServerSettings, tempDir: string, signal: AbortSignal): Promise<Server> {
    const installed = await installedPrograms(settings.toolFolder, signal);
    const runAs = settings.systemUser === '' ? null : await findSystemUser(settings.systemUser, signal);
    const folder = runAs ? folderFor(tempDir) : tempDir;
    let secrets: SecretFolder | null = null;
    try {
      secrets = new SecretFolder(folder, runAs);
      return new Server({ settings, installed, secrets, runAs });
    } catch (error) {
      secrets?.remove();
      if (error instanceof AppError) throw error;
      const reason = `the folder for temporary files, ${folder}, cannot be used: ${(error as Error).message}`;
      throw new AppError('SOURCE_FAILED', { reason }, { cause: error });
    }
  }

  /** The newest psql speaks to every server. */
  get newest(): Programs {
    const last = this.installed.at(-1);
    if (!last) throw new AppError('DATABASE_TOOL_MISSING', { tool: 'psql', package: 'postgresql-client' });
    return last;
  }

  /** Names are data in here: nothing of them is taken for another parameter. */
  conninfo(database: string): string {
    const parameters = { ...this.#parameters, dbname: database };
    return Object.entries(parameters)
      .map(([key, value]) => `${key}=${quoteConninfo(value)}`)
      .join(' ');
  }

  command(programs: Programs, name: string, args: readonly string[]): ToolCommand {
    const { dbPassword, tlsKey } = this.settings;
    return {
      program: join(programs.folder, name),
      args,
      // Else files in the home of the user (.pgpass, certificates) would change what happens.
      env: { HOME: this.secrets.path, PGAPPNAME: PROGRAM_NAME },
      secrets: [dbPassword, tlsKey],
      ...(this.#runAs ? { runAs: this.#runAs, cwd: '/' } : {}),
    };
  }

  /** For errors. */
  place(tool: string, database: string) {
    return { tool, server: this.label, user: this.settings.dbUser, database };
  }

  close(): void {
    this.secrets.remove();
  }
}

function writeSecrets(settings: ServerSettings, secrets: SecretFolder): Record<string, string> {
  const { dbHost, dbPort, dbUser, dbPassword, tlsMode, tlsCertificate, tlsKey } = settings;
  const escaped = dbPassword.replace(/[\\:]/g, '\\$&');
  const common = {
    host: dbHost,
    port: String(dbPort),
    user: dbUser,
    passfile: secrets.write('pgpass', dbPassword === '' ? '' : `*:*:*:*:${escaped}\n`),
    sslmode: tlsMode,
    connect_timeout: String(CONNECT_LIMIT_S),
    ...ALIVE,
    sslrootcert: rootCertificate(settings, secrets),
  };
  if (tlsCertificate === '') return common;
  return {
    ...common,
    sslcert: secrets.write('client.crt', `${tlsCertificate.trim()}\n`),
    sslkey: secrets.write('client.key', `${tlsKey.trim()}\n`),
  };
}

function rootCertificate({ tlsMode, tlsCa, dbHost }: ServerSettings, secrets: SecretFolder): string {
  if (tlsCa.trim() !== '') return secrets.write('ca.crt', `${tlsCa.trim()}\n`);
  // A file that is not there: nothing is checked where the mode asks for no check.
  if (!tlsMode.startsWith('verify')) return join(secrets.path, 'none.crt');
  const bundle = AUTHORITIES.find((path) => existsSync(path));
  if (bundle) return bundle;
  throw new AppError('DATABASE_TLS', { server: dbHost, reason: 'no certificate of an authority was given' });
}

/** Throws SOURCE_FAILED. */
export async function findSystemUser(name: string, signal: AbortSignal): Promise<SystemUser> {
  const ask = async (option: string) => {
    const args = [option, '--', name];
    const said = await runTool({ program: '/usr/bin/id', args }, { signal, timeoutMs: ASK_LIMIT_MS });
    if (!isSuccess(said)) throw new AppError('SOURCE_FAILED', { reason: `this machine has no user "${name}"` });
    return Number(said.text.trim());
  };
  return { uid: await ask('-u'), gid: await ask('-g') };
}

const isOpen = (folder: string): boolean => (statSync(folder).mode & 0o001) !== 0;

/** `tempDir` when another user can get into it, else the folder of the machine for temporary files. */
export function folderFor(tempDir: string): string {
  try {
    for (let folder = dirname(tempDir); folder !== '/'; folder = dirname(folder)) {
      if (!isOpen(folder)) return tmpdir();
    }
    // Ours; what is in it keeps its own rights, and its names cannot be listed.
    if (!isOpen(tempDir)) chmodSync(tempDir, 0o711);
    return tempDir;
  } catch {
    return tmpdir();
  }
}
