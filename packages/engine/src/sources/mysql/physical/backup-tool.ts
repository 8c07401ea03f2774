/** The programs that copy the files of a running server, and make a copy ready. */
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../../ports/find-tool.ts';
import { runTool } from '../../../ports/processes.ts';
import type { Tool } from '../connection.ts';
import { describeProduct, FLAVOUR_NAMES, type Flavour, type Product } from '../flavour.ts';

const NAMES: Readonly<Record<Flavour, readonly string[]>> = {
  mariadb: ['mariadb-backup', 'mariabackup'],
  mysql: ['xtrabackup'],
};
const STREAM_FORMATS: Readonly<Record<Flavour, string>> = { mariadb: 'mbstream', mysql: 'xbstream' };
const VERSION_TIMEOUT_MS = 10_000;

/** `10.11` of `10.11.19`. */
export const seriesOf = (version: string): string => version.split('.').slice(0, 2).join('.');

/** Series of servers whose program has a version of its own. */
const OLD_XTRABACKUP: Readonly<Record<string, string>> = { '5.6': '24', '5.7': '24' };

/** Debian's name, or that of the vendor's repository: `percona-xtrabackup-84`. */
export function backupToolPackage({ flavour, version }: Product): string {
  if (flavour === 'mariadb') return 'mariadb-backup';
  const series = seriesOf(version);
  return `percona-xtrabackup-${OLD_XTRABACKUP[series] ?? series.replace('.', '')}`;
}

/** What `--stream` is to be. */
export const streamFormatOf = (flavour: Flavour): string => STREAM_FORMATS[flavour];

/** The program for this server, of the same series. Throws DATABASE_TOOL_MISSING and _TOOL_MISMATCH. */
export async function findBackupTool(
  product: Product,
  { toolFolder, signal }: { readonly toolFolder: string; readonly signal: AbortSignal },
): Promise<Tool> {
  let other: Tool | null = null;
  for (const name of NAMES[product.flavour]) {
    const path = findTool([name], toolFolder === '' ? [] : [toolFolder]);
    if (path === null) continue;
    const tool = await versionOf(name, path, signal);
    if (tool && fits(tool, product)) return tool;
    other ??= tool;
  }
  const program = NAMES[product.flavour][0] ?? '';
  if (other === null) {
    throw new AppError('DATABASE_TOOL_MISSING', {
      tool: `${program} (of ${FLAVOUR_NAMES[product.flavour]})`,
      package: backupToolPackage(product),
    });
  }
  throw new AppError('DATABASE_TOOL_MISMATCH', {
    tool: other.name,
    toolVersion: describeProduct(other),
    serverVersion: describeProduct(product),
    package: `${backupToolPackage(product)} of the series ${seriesOf(product.version)}`,
  });
}

async function versionOf(name: string, path: string, signal: AbortSignal): Promise<Tool | null> {
  const command = { program: path, args: ['--no-defaults', '--version'] };
  const end = await runTool(command, { signal, timeoutMs: VERSION_TIMEOUT_MS });
  const match = /based on (MariaDB|MySQL) server (\d+\.\d+\.\d+)/.exec(`${end.text}\n${end.messages}`);
  if (!match?.[2]) return null;
  return { name, path, flavour: match[1] === 'MariaDB' ? 'mariadb' : 'mysql', version: match[2] };
}

/** Files of one series are not to be read by the programs of another, neither older nor newer. */
const fits = (tool: Product, server: Product): boolean =>
  tool.flavour === server.flavour && seriesOf(tool.version) === seriesOf(server.version);
