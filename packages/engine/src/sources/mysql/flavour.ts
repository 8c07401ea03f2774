/** MySQL and MariaDB: alike enough for one source, too different for each other's programs. */
import { AppError } from '@backupx/contracts/errors';

export type Flavour = 'mariadb' | 'mysql';

/** What a server or a program is. */
export interface Product {
  readonly flavour: Flavour;
  /** `10.11.19` */
  readonly version: string;
}

export const FLAVOUR_NAMES: Readonly<Record<Flavour, string>> = { mariadb: 'MariaDB', mysql: 'MySQL' };
/** Debian's name, and that of the vendor's own repository. */
export const CLIENT_PACKAGES: Readonly<Record<Flavour, string>> = {
  mariadb: 'mariadb-client',
  mysql: 'mysql-community-client (of repo.mysql.com) or mysql-client',
};

/** Reads what `SELECT VERSION()` says. */
export function serverProduct(version: string): Product {
  // For the sake of old clients MariaDB puts `5.5.5-` before its version.
  const plain = version.replace(/^5\.5\.5-(?=\d)/, '');
  return { flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql', version: numbersOf(plain) };
}

/** Reads what a program says to `--version`; null when it says no version. */
export function toolProduct(text: string): Product | null {
  const match =
    /Distrib (\d+\.\d+\.\d+)/.exec(text) ?? /from (\d+\.\d+\.\d+)/.exec(text) ?? /Ver (\d+\.\d+\.\d+)/.exec(text);
  if (!match?.[1]) return null;
  return { flavour: /mariadb/i.test(text) ? 'mariadb' : 'mysql', version: match[1] };
}

const numbersOf = (version: string): string => /^\d+(\.\d+)*/.exec(version)?.[0] ?? '0';

/** True when `version` is at least `wanted`, compared number by number as far as `wanted` goes. */
export function isAtLeast(version: string, wanted: string): boolean {
  const have = version.split('.').map(Number);
  for (const [index, number] of wanted.split('.').map(Number).entries()) {
    const own = have[index] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}

/** Throws DATABASE_TOOL_MISMATCH for a program of the other flavour, or older than the server. */
export function assertFits(tool: Product & { readonly name: string }, server: Product): void {
  const series = server.version.split('.').slice(0, 2).join('.');
  if (tool.flavour === server.flavour && isAtLeast(tool.version, series)) return;
  throw new AppError('DATABASE_TOOL_MISMATCH', {
    tool: tool.name,
    toolVersion: describeProduct(tool),
    serverVersion: describeProduct(server),
    package: `${CLIENT_PACKAGES[server.flavour]} ${series} or newer`,
  });
}

export function describeProduct({ flavour, version }: Product): string {
  return `${FLAVOUR_NAMES[flavour]} ${version}`;
}
