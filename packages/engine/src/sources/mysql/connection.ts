/** One server, asked by the very programs that dump and restore it. */
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { isSuccess, runTool, startTool, type ToolCommand, type ToolProcess } from '../../ports/processes.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import { tempFolderError } from '../../ports/temp-folder-error.ts';
import {
  assertFits,
  CLIENT_PACKAGES,
  describeProduct,
  FLAVOUR_NAMES,
  type Flavour,
  type Product,
  serverProduct,
  toolProduct,
} from './flavour.ts';
import { optionFile } from './option-file.ts';
import type { ConnectionConfig } from './settings.ts';
import { parseRows } from './sql-text.ts';
import { describeServer, toolError } from './tool-error.ts';

export interface Tool extends Product {
  /** `mariadb-dump` */
  readonly name: string;
  readonly path: string;
}

const CLIENTS: Readonly<Record<Flavour, readonly string[]>> = { mariadb: ['mariadb', 'mysql'], mysql: ['mysql'] };
const DUMPERS: Readonly<Record<Flavour, readonly string[]>> = {
  mariadb: ['mariadb-dump', 'mysqldump'],
  mysql: ['mysqldump'],
};
const VERSION_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 60_000;
/** Batch mode escapes its output; the comments of routines and CR LF in them are to stay. */
const CLIENT_ARGS = ['--batch', '--skip-column-names', '--comments', '--binary-mode', '--unbuffered'];
/** The programs of MySQL read this file in every case, and believe it more than any other. */
const ENVIRONMENT = { MYSQL_TEST_LOGIN_FILE: '/nonexistent' };

export interface OpenOptions {
  readonly tempDir: string;
  readonly signal: AbortSignal;
}

/** See above. `open` has logged in once; `close` removes the files with secrets. */
export class MysqlConnection {
  readonly config: ConnectionConfig;
  readonly server: Product;
  readonly client: Tool;
  readonly signal: AbortSignal;
  readonly #secrets: SecretFolder;
  readonly #optionFile: string;

  private constructor(
    parts: Pick<MysqlConnection, 'config' | 'server' | 'client' | 'signal'> & {
      readonly secrets: SecretFolder;
      readonly optionFile: string;
    },
  ) {
    this.config = parts.config;
    this.server = parts.server;
    this.client = parts.client;
    this.signal = parts.signal;
    this.#secrets = parts.secrets;
    this.#optionFile = parts.optionFile;
  }

  /** Throws DATABASE_AUTH, _UNREACHABLE, _TLS, _TOOL_MISSING, _TOOL_MISMATCH; STORAGE_FULL for a full temporary folder. */
  static async open(config: ConnectionConfig, { tempDir, signal }: OpenOptions): Promise<MysqlConnection> {
    const secrets = new SecretFolder(tempDir);
    try {
      // Which flavour the server is, any client can ask.
      const first = await findFirstClient(config, signal);
      const files = writeOptionFiles(secrets, config);
      const probe = { config, client: first, signal, secrets, optionFile: files[first.flavour] };
      const asking = new MysqlConnection({ ...probe, server: { flavour: first.flavour, version: '0' } });
      const [[version = ''] = []] = await asking.query('SELECT VERSION()');
      const server = serverProduct(version);
      const client = await findClient(first, server, { config, signal });
      const connection = new MysqlConnection({ ...probe, server, client, optionFile: files[server.flavour] });
      await connection.#assertEncrypted();
      return connection;
    } catch (error) {
      secrets.remove();
      throw tempFolderError(error);
    }
  }

  /** `MariaDB 10.11.19` */
  get serverName(): string {
    return describeProduct(this.server);
  }

  get address(): string {
    return describeServer(this.config);
  }

  /** Rows of one or several statements. Throws DATABASE_*, TIMEOUT, CANCELLED. */
  async query(
    sql: string,
    options: { timeoutMs?: number; database?: string; doing?: string } = {},
  ): Promise<string[][]> {
    const { timeoutMs = QUERY_TIMEOUT_MS, database, doing = 'read what is there' } = options;
    const end = await runTool(this.#clientCommand(database), { signal: this.signal, timeoutMs, input: `${sql};\n` });
    if (!isSuccess(end)) throw toolError(end, { tool: this.client.name, doing, config: this.config });
    return parseRows(end.text);
  }

  /** The same connection for work that ends by another signal; shares the files, which `close` removes once. */
  withSignal(signal: AbortSignal): MysqlConnection {
    const { config, server, client } = this;
    return new MysqlConnection({
      config,
      server,
      client,
      signal,
      secrets: this.#secrets,
      optionFile: this.#optionFile,
    });
  }

  /** A client that takes statements on its input. */
  startClient(database?: string): ToolProcess {
    return startTool(this.#clientCommand(database), this.signal);
  }

  /** Starts a program that reads the same option file. */
  startWith(
    tool: Tool,
    args: readonly string[],
    { env, progressLines }: Pick<ToolCommand, 'env' | 'progressLines'> = {},
  ): ToolProcess {
    const command = this.#command(tool, args);
    return startTool({ ...command, env: { ...command.env, ...env }, progressLines }, this.signal);
  }

  /** The program that dumps this server. Throws DATABASE_TOOL_MISSING and _TOOL_MISMATCH. */
  findDumper(): Promise<Tool> {
    return this.#find(DUMPERS);
  }

  /** The program that reads binary logs of this server. Throws like `findDumper`. */
  async findBinlogReader(): Promise<Tool> {
    const { flavour } = this.server;
    // That of MariaDB says a version of its own; it comes with the client.
    if (flavour === 'mysql') return await this.#find({ mariadb: [], mysql: ['mysqlbinlog'] });
    const path = findTool(['mariadb-binlog'], this.config.toolFolder === '' ? [] : [this.config.toolFolder]);
    if (path === null) throw missingTool('mariadb-binlog', flavour);
    return { ...this.client, name: 'mariadb-binlog', path };
  }

  async #find(names: Readonly<Record<Flavour, readonly string[]>>): Promise<Tool> {
    const { flavour } = this.server;
    const tool = await firstOf(names[flavour], { config: this.config, flavour, signal: this.signal });
    if (!tool) throw missingTool(names[flavour][0] ?? '', flavour);
    assertFits(tool, this.server);
    return tool;
  }

  close(): void {
    this.#secrets.remove();
  }

  #clientCommand(database?: string): ToolCommand {
    return this.#command(this.client, [...CLIENT_ARGS, ...(database === undefined ? [] : [`--database=${database}`])]);
  }

  #command(tool: Tool, args: readonly string[]): ToolCommand {
    return {
      program: tool.path,
      args: [`--defaults-file=${this.#optionFile}`, ...args],
      env: ENVIRONMENT,
      secrets: [this.config.dbPassword],
    };
  }

  /** The programs of MariaDB go on in plain text when a server has no TLS and no certificate was to be checked. */
  async #assertEncrypted(): Promise<void> {
    const { tlsMode, dbSocket } = this.config;
    if (tlsMode === 'disabled' || tlsMode === 'preferred' || dbSocket !== '') return;
    const [[, cipher = ''] = []] = await this.query(`SHOW SESSION STATUS LIKE 'Ssl_cipher'`);
    if (cipher === '') throw new AppError('DATABASE_TLS', { server: this.address, reason: 'the server offers no TLS' });
  }
}

function writeOptionFiles(secrets: SecretFolder, config: ConnectionConfig): Record<Flavour, string> {
  const write = (name: string, text: string) => (text.trim() === '' ? null : secrets.write(name, text));
  const files = {
    ca: write('ca.pem', config.tlsCa),
    certificate: write('client.pem', config.tlsCertificate),
    key: write('client.key', config.tlsKey),
  };
  return {
    mariadb: secrets.write('mariadb.cnf', optionFile(config, 'mariadb', files)),
    mysql: secrets.write('mysql.cnf', optionFile(config, 'mysql', files)),
  };
}

interface Looking {
  readonly config: ConnectionConfig;
  /** Preferred. */
  readonly flavour: Flavour;
  readonly signal: AbortSignal;
}

/** The first of these programs that is of this flavour, else the first there is. */
async function firstOf(names: readonly string[], { config, flavour, signal }: Looking): Promise<Tool | null> {
  let other: Tool | null = null;
  for (const name of names) {
    const path = findTool([name], config.toolFolder === '' ? [] : [config.toolFolder]);
    if (path === null) continue;
    const { text } = await runTool({ program: path, args: ['--version'] }, { signal, timeoutMs: VERSION_TIMEOUT_MS });
    const product = toolProduct(text);
    if (product?.flavour === flavour) return { name, path, ...product };
    if (product) other ??= { name, path, ...product };
  }
  return other;
}

async function findFirstClient(config: ConnectionConfig, signal: AbortSignal): Promise<Tool> {
  const tool = await firstOf(CLIENTS.mariadb, { config, flavour: 'mariadb', signal });
  if (!tool)
    throw new AppError('DATABASE_TOOL_MISSING', {
      tool: 'mariadb or mysql',
      package: 'mariadb-client or mysql-client',
    });
  return tool;
}

/** `first`: the one that asked the server what it is. */
async function findClient(first: Tool, server: Product, looking: Omit<Looking, 'flavour'>): Promise<Tool> {
  const { flavour } = server;
  const isFirst = first.flavour === flavour && CLIENTS[flavour].includes(first.name);
  const tool = isFirst ? first : await firstOf(CLIENTS[flavour], { ...looking, flavour });
  if (!tool) throw missingTool(CLIENTS[flavour][0] ?? 'mysql', flavour);
  assertFits(tool, server);
  return tool;
}

function missingTool(name: string, flavour: Flavour): AppError {
  return new AppError('DATABASE_TOOL_MISSING', {
    tool: `${name} (of ${FLAVOUR_NAMES[flavour]})`,
    package: CLIENT_PACKAGES[flavour],
  });
}
