/** One server: the driver that asks it, and the file with which its own programs log in. */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { startTool, type ToolCommand, type ToolProcess } from '../../ports/processes.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import { tempFolderError } from '../../ports/temp-folder-error.ts';
import { type CertificateFiles, connectionString, describeServer, secretsOf } from './connection-string.ts';
import { driverError } from './failures.ts';
import type { ConnectionConfig } from './settings.ts';
import type { Tool } from './tools.ts';

/** What a server says of itself. */
export interface ServerFacts {
  readonly version: string;
  /** Empty: none. */
  readonly replicaSet: string;
  readonly isPrimary: boolean;
  /** Through a router of a sharded cluster. */
  readonly isSharded: boolean;
}

type Answer = Record<string, unknown>;

/** Of mongodump, behind the time; there are some for each collection, and one every three seconds. */
const PROGRESS = /^\d{4}-\S+\s+(?:\[[#.]+\]|writing |done dumping |dumped )/;
const COMMAND_TIMEOUT_MS = 60_000;
const CLIENT_OPTIONS: MongoClientOptions = {
  // Documents and answers as they came: names of fields may be anything, numbers of any kind.
  promoteValues: true,
  maxPoolSize: 8,
};

export interface OpenOptions {
  readonly tempDir: string;
  readonly signal: AbortSignal;
}

/** See above. `open` has logged in once; `close` ends the connections and removes the files with secrets. */
export class MongodbConnection {
  readonly config: ConnectionConfig;
  readonly client: MongoClient;
  readonly facts: ServerFacts;
  readonly signal: AbortSignal;
  /** What the server calls us in the list of what runs on it; nobody else has this name. */
  readonly appName: string;
  readonly #secrets: SecretFolder;
  readonly #configFile: string;

  private constructor(
    parts: Pick<MongodbConnection, 'config' | 'client' | 'facts' | 'signal' | 'appName'> & {
      readonly secrets: SecretFolder;
      readonly configFile: string;
    },
  ) {
    this.config = parts.config;
    this.client = parts.client;
    this.facts = parts.facts;
    this.signal = parts.signal;
    this.appName = parts.appName;
    this.#secrets = parts.secrets;
    this.#configFile = parts.configFile;
  }

  /** Throws DATABASE_AUTH, _UNREACHABLE, _TLS; STORAGE_FULL for a full temporary folder. */
  static async open(config: ConnectionConfig, { tempDir, signal }: OpenOptions): Promise<MongodbConnection> {
    const secrets = new SecretFolder(tempDir);
    let client: MongoClient | null = null;
    try {
      const uri = connectionString(config, writeCertificates(secrets, config));
      // Text in quotes of JSON is text in quotes of YAML.
      const configFile = secrets.write('mongodb.yaml', `uri: ${JSON.stringify(uri)}\n`);
      const appName = `BackupX ${randomBytes(8).toString('hex')}`;
      client = new MongoClient(uri, { ...CLIENT_OPTIONS, appName });
      const connected = client;
      const facts = await answering(signal, connected, () => readFacts(connected));
      return new MongodbConnection({ config, client, facts, signal, appName, secrets, configFile });
    } catch (error) {
      await client?.close().catch(() => {});
      secrets.remove();
      if (signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
      throw driverError(tempFolderError(error), { config, doing: 'log in' });
    }
  }

  /** `MongoDB 7.0.4` */
  get serverName(): string {
    return `MongoDB ${this.facts.version}`;
  }

  get address(): string {
    return describeServer(this.config);
  }

  /** Runs a command. Throws DATABASE_*, CANCELLED. */
  async command(
    database: string,
    command: Answer,
    { doing = 'read what is there', timeoutMs = COMMAND_TIMEOUT_MS }: { doing?: string; timeoutMs?: number } = {},
  ): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    return await this.attempt(doing, async () => {
      try {
        const signal = AbortSignal.any([this.signal, timeout]);
        return (await this.client.db(database).command(command, { signal })) as Answer;
      } catch (error) {
        if (!timeout.aborted || this.signal.aborted) throw error;
        const seconds = Math.round(timeoutMs / 1000);
        throw new AppError('TIMEOUT', { what: `${this.address}, asked to ${doing},`, seconds }, { cause: error });
      }
    });
  }

  /** Does something with the client. Throws DATABASE_*, CANCELLED. */
  async attempt<T>(doing: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (this.signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
      throw driverError(error, { config: this.config, doing });
    }
  }

  /** The same for work that must not be cut off; shares the files and connections, which `close` ends once. */
  withSignal(signal: AbortSignal): MongodbConnection {
    const { config, client, facts, appName } = this;
    const configFile = this.#configFile;
    return new MongodbConnection({ config, client, facts, signal, appName, secrets: this.#secrets, configFile });
  }

  /** Starts one of the server's own programs; who logs in, and where, stands in a file. */
  start(tool: Tool, args: readonly string[]): ToolProcess {
    return startTool(this.commandOf(tool, args), this.signal);
  }

  commandOf(tool: Tool, args: readonly string[]): ToolCommand {
    const secrets = secretsOf(this.config);
    return { program: tool.path, args: [`--config=${this.#configFile}`, ...args], secrets, progressLines: PROGRESS };
  }

  async close(): Promise<void> {
    await this.client.close().catch(() => {});
    this.#secrets.remove();
  }
}

function writeCertificates(secrets: SecretFolder, { tlsCa, tlsCertificate, tlsKey }: ConnectionConfig) {
  const client = [tlsCertificate, tlsKey].filter((text) => text.trim() !== '').join('\n');
  const write = (name: string, text: string) => (text.trim() === '' ? null : secrets.write(name, `${text}\n`));
  return { ca: write('ca.pem', tlsCa), client: write('client.pem', client) } satisfies CertificateFiles;
}

/** The driver goes on looking for a server as long as its time allows; a first refusal of all of them is an answer too. */
async function answering<T>(signal: AbortSignal, client: MongoClient, act: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: refused, reject: refuse } = Promise.withResolvers<never>();
  const stop = () => refuse(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  client.on('topologyDescriptionChanged', ({ newDescription }) => {
    const errors = [...newDescription.servers.values()].map(({ error }) => error);
    if (errors.length > 0 && errors.every((error) => error !== null)) refuse(errors[0]);
  });
  try {
    return await Promise.race([act(), refused]);
  } finally {
    signal.removeEventListener('abort', stop);
    client.removeAllListeners('topologyDescriptionChanged');
    refused.catch(() => {});
  }
}

async function readFacts(client: MongoClient): Promise<ServerFacts> {
  const admin = client.db('admin');
  const hello = (await admin.command({ hello: 1 })) as Answer;
  // Needs a login where logins are asked for.
  const build = (await admin.command({ buildInfo: 1 })) as Answer;
  await admin.command({ listDatabases: 1, nameOnly: true, authorizedDatabases: true });
  return {
    version: String(build.version ?? ''),
    replicaSet: typeof hello.setName === 'string' ? hello.setName : '',
    isPrimary: hello.isWritablePrimary === true,
    isSharded: hello.msg === 'isdbgrid',
  };
}
