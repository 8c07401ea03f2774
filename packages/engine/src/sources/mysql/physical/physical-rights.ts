import { isAtLeast, type Product } from '../flavour.ts';
import type { Privileges } from '../privileges.ts';

/** Rights on everything that the programs demand, each with others that are as good. */
function neededRights(server: Product): readonly (readonly string[])[] {
  const common = [['RELOAD'], ['PROCESS'], ['LOCK TABLES']];
  if (server.flavour === 'mariadb') {
    if (isAtLeast(server.version, '10.5')) return [...common, ['BINLOG MONITOR', 'SUPER', 'REPLICATION CLIENT']];
    return [...common, ['REPLICATION CLIENT', 'SUPER']];
  }
  const monitor = [...common, ['REPLICATION CLIENT', 'SUPER']];
  return isAtLeast(server.version, '8.0') ? [...monitor, ['BACKUP_ADMIN']] : monitor;
}

/** Those that are missing. */
export function missingPhysicalRights(privileges: Privileges, server: Product): string[] {
  const missing = neededRights(server)
    .filter((names) => !names.some((name) => privileges.has(name)))
    .map(([name = '']) => name);
  // Where the program asks for the position in the binary log.
  const isAsked = server.flavour === 'mysql' && isAtLeast(server.version, '8.0');
  return isAsked && !privileges.hasOnTable('SELECT', 'performance_schema.log_status')
    ? [...missing, 'SELECT']
    : missing;
}

/** Statements that make a user for physical backups. SELECT is for the list of what is in them. */
export function physicalUserSql(server: Product): string {
  const account = `'backupx'@'localhost'`;
  const rights = ['SELECT', ...neededRights(server).map(([name]) => name)];
  const dynamic = rights.filter((name) => name === 'BACKUP_ADMIN');
  const plain = rights.filter((name) => name !== 'BACKUP_ADMIN');
  const lines = [
    `CREATE USER ${account} IDENTIFIED BY '…a long password…';`,
    `GRANT ${plain.join(', ')} ON *.* TO ${account};`,
    ...dynamic.map((name) => `GRANT ${name} ON *.* TO ${account};`),
  ];
  return `${lines.join('\n')}\n`;
}
