/** A server of this machine's own programs, started for a proof. */
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { describeEnd, isSuccess, runTool } from '../../ports/processes.ts';
import { type Scratch, startScratch } from '../../ports/start-scratch.ts';
import { MysqlConnection } from './connection.ts';
import { FLAVOUR_NAMES, type Flavour, isAtLeast, type Product, toolProduct } from './flavour.ts';
import type { ConnectionConfig } from './settings.ts';

const INSTALL_TIMEOUT_MS = 120_000;
const VERSION_TIMEOUT_MS = 10_000;
const SERVERS: Readonly<Record<Flavour, readonly string[]>> = { mariadb: ['mariadbd', 'mysqld'], mysql: ['mysqld'] };
const SERVER_PACKAGES: Readonly<Record<Flavour, string>> = { mariadb: 'mariadb-server', mysql: 'mysql-server' };

export interface ScratchOptions {
  readonly tempDir: string;
  readonly signal: AbortSignal;
  /** What the dumps were made from; the server is of the same flavour and no older. */
  readonly product: Product;
  readonly toolFolder: string;
  /** Data that is there already, which stays with who made it; left out: new, empty data. Its passwords are not asked for. */
  readonly existing?: { readonly dataFolder: string; readonly args: readonly string[] };
}

/** Throws DATABASE_TOOL_MISSING, _TOOL_MISMATCH, _TOOL_FAILED. */
export async function startScratchServer(options: ScratchOptions): Promise<Scratch<MysqlConnection>> {
  const { tempDir, signal, toolFolder, product } = options;
  const program = await findServer(options);
  return await startScratch({
    ...{ tempDir, signal, name: SERVERS[product.flavour][0] ?? '' },
    async prepare(folder) {
      if (!options.existing) await install(program, folder, options);
    },
    command: (folder) => ({ program, args: serverArgs(folder, options) }),
    async open(folder) {
      const config: ConnectionConfig = {
        ...{ dbHost: '', dbPort: 3306, dbSocket: join(folder, 's.sock'), dbUser: 'root', dbPassword: '' },
        ...{ tlsMode: 'disabled', tlsCa: '', tlsCertificate: '', tlsKey: '', toolFolder },
      };
      return await MysqlConnection.open(config, { tempDir, signal });
    },
  });
}

const asOurselves = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

async function findServer({ product, toolFolder, signal }: ScratchOptions): Promise<string> {
  const { flavour, version } = product;
  for (const name of SERVERS[flavour]) {
    const program = findTool([name], toolFolder === '' ? [] : [toolFolder]);
    if (program === null) continue;
    const { text } = await runTool(
      { program, args: ['--no-defaults', '--version'] },
      { signal, timeoutMs: VERSION_TIMEOUT_MS },
    );
    const found = toolProduct(text);
    if (found?.flavour !== flavour) continue;
    if (isAtLeast(found.version, version.split('.').slice(0, 2).join('.'))) return program;
    throw new AppError('DATABASE_TOOL_MISMATCH', {
      tool: name,
      toolVersion: found.version,
      serverVersion: version,
      package: `${SERVER_PACKAGES[flavour]} ${version} or newer`,
    });
  }
  throw new AppError('DATABASE_TOOL_MISSING', {
    tool: `${SERVERS[flavour][0]} (of ${FLAVOUR_NAMES[flavour]})`,
    package: SERVER_PACKAGES[flavour],
  });
}

async function install(
  program: string,
  folder: string,
  { product, toolFolder, signal }: ScratchOptions,
): Promise<void> {
  const data = join(folder, 'data');
  const folders = toolFolder === '' ? [] : [toolFolder];
  const installer =
    product.flavour === 'mariadb' ? findTool(['mariadb-install-db', 'mysql_install_db'], folders) : program;
  if (installer === null) {
    throw new AppError('DATABASE_TOOL_MISSING', { tool: 'mariadb-install-db', package: SERVER_PACKAGES.mariadb });
  }
  const args =
    product.flavour === 'mariadb'
      ? ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db']
      : ['--no-defaults', '--initialize-insecure', `--datadir=${data}`];
  // It starts a server as well, see below.
  const command = { program: installer, args: [...args, ...asOurselves()], env: { TMPDIR: folder } };
  const end = await runTool(command, { signal, timeoutMs: INSTALL_TIMEOUT_MS });
  if (!isSuccess(end)) throw new AppError('DATABASE_TOOL_FAILED', { tool: installer, reason: describeEnd(end) });
}

function serverArgs(folder: string, { product, existing }: ScratchOptions): string[] {
  const data = existing?.dataFolder ?? join(folder, 'data');
  // At its start a server removes temporary tables from the folder it shares with others, and those crash of that.
  const args = ['--no-defaults', `--datadir=${data}`, `--tmpdir=${folder}`, `--socket=${join(folder, 's.sock')}`];
  if (existing) args.push('--skip-grant-tables', '--skip-slave-start', ...existing.args);
  args.push('--skip-networking', '--skip-log-bin', '--event-scheduler=OFF', '--innodb-flush-log-at-trx-commit=0');
  args.push(`--pid-file=${join(folder, 'pid')}`, `--log-error=${join(folder, 'log')}`, '--max-allowed-packet=1G');
  if (product.flavour === 'mysql') args.push('--mysqlx=OFF');
  return [...args, ...asOurselves()];
}
