/** Option files: how the programs of both flavours get host, user and password, which no other user of the machine may see. */
import type { Flavour } from './flavour.ts';
import type { ConnectionConfig, TlsMode } from './settings.ts';

/** A value in quotes: in them only a backslash and the quote mean something. */
export function quoteOption(value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

/** Paths of files with certificates; null: there is none. */
export interface CertificateFiles {
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

const CONNECT_SECONDS = 10;

/** Text of an option file for programs of this flavour. */
export function optionFile(config: ConnectionConfig, flavour: Flavour, files: CertificateFiles): string {
  const lines = [
    '[client]',
    ...placeOf(config),
    `user=${quoteOption(config.dbUser)}`,
    `password=${quoteOption(config.dbPassword)}`,
    ...(flavour === 'mariadb' ? mariadbTls(config.tlsMode) : mysqlTls(config.tlsMode)),
  ];
  if (files.ca !== null) lines.push(`ssl-ca=${quoteOption(files.ca)}`);
  if (files.certificate !== null) lines.push(`ssl-cert=${quoteOption(files.certificate)}`);
  if (files.key !== null) lines.push(`ssl-key=${quoteOption(files.key)}`);
  // The programs that dump and that read binary logs do not know these.
  lines.push('[mysql]', 'default-character-set=utf8mb4', `connect-timeout=${CONNECT_SECONDS}`, 'max-allowed-packet=1G');
  return `${lines.join('\n')}\n`;
}

function placeOf({ dbHost, dbPort, dbSocket }: ConnectionConfig): string[] {
  if (dbSocket !== '') return ['protocol=socket', `socket=${quoteOption(dbSocket)}`];
  // Without a protocol "localhost" would mean a socket.
  return ['protocol=tcp', `host=${quoteOption(dbHost)}`, `port=${dbPort}`];
}

/** MariaDB checks either all of a certificate or nothing; who wants less than all gets all. */
function mariadbTls(mode: TlsMode): string[] {
  if (mode === 'disabled') return ['skip-ssl'];
  const isChecked = mode === 'verify-ca' || mode === 'verify-full';
  return ['ssl', isChecked ? 'ssl-verify-server-cert' : 'skip-ssl-verify-server-cert'];
}

const MYSQL_MODES: Readonly<Record<TlsMode, string>> = {
  disabled: 'DISABLED',
  preferred: 'PREFERRED',
  required: 'REQUIRED',
  'verify-ca': 'VERIFY_CA',
  'verify-full': 'VERIFY_IDENTITY',
};

const mysqlTls = (mode: TlsMode): string[] => [`ssl-mode=${MYSQL_MODES[mode]}`];
