/** The server of a receiver, as PostgreSQL's program reaches it: no password in an argument or in an environment. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool, versionFolders } from '../../ports/find-tool.ts';
import { describeEnd, isSuccess, runTool, type ToolCommand, type ToolEnd } from '../../ports/processes.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import {
  hasState,
  judgeReceiver,
  type ReceiverFacts,
  SLOT_EXISTS,
  SLOT_MISSING,
  slotMissing,
} from './judge-receiver.ts';

/** Null: PostgreSQL's own default, or what the service says. */
export interface ServerAddress {
  readonly host: string | null;
  readonly port: number | null;
  readonly user: string | null;
  readonly tlsMode: string | null;
  /** Certificates of the authorities, for `verify-ca` and `verify-full`. */
  readonly caFile: string | null;
  /** A file whose first line is the password; mode 0600. Null: PostgreSQL's password file, if there is one. */
  readonly passwordFile: string | null;
  /** PostgreSQL's own password file, when it is not ~/.pgpass. */
  readonly pgpassFile: string | null;
  readonly service: string | null;
  readonly serviceFile: string | null;
}

const PROGRAM = 'pg_receivewal';
const DEBIAN = '/usr/lib/postgresql';
const STEP_LIMIT_MS = 30_000;
const CONNECT_LIMIT_S = '15';

/** See above. `close` removes its secrets. */
export class ReceiverServer {
  /** For people. */
  readonly label: string;
  readonly program: string;
  readonly #slot: string;
  readonly #user: string;
  readonly #conninfo: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #secrets: SecretFolder;

  /** Connects to nothing. Throws DATABASE_TOOL_MISSING, CONFIG_INVALID. */
  constructor(address: ServerAddress, { slot, tempDir }: { slot: string; tempDir: string }) {
    this.program = findReceiver();
    this.label = `PostgreSQL at ${address.service ?? `${address.host ?? 'the local socket'}:${address.port ?? 5432}`}`;
    this.#slot = checkSlot(slot);
    this.#user = address.user ?? '';
    for (const file of [address.passwordFile, address.pgpassFile, address.serviceFile]) {
      if (file !== null) demandPrivate(file);
    }
    this.#secrets = new SecretFolder(tempDir);
    this.#conninfo = conninfoOf(address, this.#secrets);
    const { serviceFile, pgpassFile } = address;
    this.#env = {
      ...(serviceFile !== null && { PGSERVICEFILE: serviceFile }),
      ...(pgpassFile !== null && address.passwordFile === null && { PGPASSFILE: pgpassFile }),
    };
  }

  /** Writes segments into `folder` until it is stopped or the connection ends. */
  receiveCommand(folder: string): ToolCommand {
    return this.#command(['--directory', folder, '--no-loop', '--slot', this.#slot, '--status-interval=5']);
  }

  /** From now on the server keeps its log. Throws DATABASE_…; a slot that is there is success. */
  async createSlot(signal: AbortSignal): Promise<void> {
    // The receiving program makes slots, too, but those keep nothing before it connects for the first time.
    const end = await this.#ask(`CREATE_REPLICATION_SLOT "${this.#slot}" PHYSICAL RESERVE_WAL`, signal);
    if (!isSuccess(end) && !hasState(end, SLOT_EXISTS)) throw this.#failureOf(end);
  }

  /** Throws DATABASE_…. */
  async dropSlot(signal: AbortSignal): Promise<void> {
    const end = await this.#ask(`DROP_REPLICATION_SLOT "${this.#slot}"`, signal);
    if (isSuccess(end)) return;
    throw hasState(end, SLOT_MISSING) ? slotMissing(this.#about) : this.#failureOf(end);
  }

  /** What the end of the receiving program means; null: it may pass. */
  async lastingFailure(end: ToolEnd, signal: AbortSignal): Promise<AppError | null> {
    const known = judgeReceiver(end, this.#about);
    // The program has a connection, and says so in English; what follows is the server's.
    if (known || !end.messages.includes('could not send replication command')) return known;
    // Servers speak many languages; of a slot that is not there another one can be made, which goes with this connection.
    const asked = await this.#ask(`CREATE_REPLICATION_SLOT "${this.#slot}" TEMPORARY PHYSICAL`, signal);
    return isSuccess(asked) ? slotMissing(this.#about) : null;
  }

  /** Idempotent. */
  close(): void {
    this.#secrets.remove();
  }

  #command(args: readonly string[]): ToolCommand {
    return { program: this.program, args: [...args, '--no-password', '--dbname', this.#conninfo], env: this.#env };
  }

  /** A command of the replication protocol. Its messages have the code of an error, which is the same in every language. */
  async #ask(command: string, signal: AbortSignal): Promise<ToolEnd> {
    const program = join(dirname(this.program), 'psql');
    const words = ['-X', '--no-password', '--set=VERBOSITY=verbose', '--command', command];
    const args = [...words, '--dbname', `${this.#conninfo} replication='yes'`];
    return await runTool({ program, args, env: this.#env }, { signal, timeoutMs: STEP_LIMIT_MS });
  }

  #failureOf(end: ToolEnd): AppError {
    return (
      judgeReceiver(end, this.#about) ??
      new AppError('DATABASE_UNREACHABLE', { server: this.label, reason: describeEnd(end) })
    );
  }

  get #about(): ReceiverFacts {
    return { server: this.label, user: this.#user, slot: this.#slot };
  }
}

/** The newest, since it speaks to all older servers. Throws DATABASE_TOOL_MISSING. */
function findReceiver(): string {
  const debian = versionFolders(DEBIAN).map((version) => ({
    major: Number(version),
    folder: join(DEBIAN, version, 'bin'),
  }));
  const redHat = readdirSync('/usr').flatMap((name) => {
    const major = /^pgsql-(\d+)$/.exec(name)?.[1];
    return major === undefined ? [] : [{ major: Number(major), folder: `/usr/${name}/bin` }];
  });
  const folders = [...debian, ...redHat].sort((a, b) => b.major - a.major).map(({ folder }) => folder);
  const found = findTool([PROGRAM], folders);
  if (found === null) throw new AppError('DATABASE_TOOL_MISSING', { tool: PROGRAM, package: 'postgresql-client' });
  return found;
}

/** Names in here are data: nothing of them is taken for another parameter. */
function conninfoOf(address: ServerAddress, secrets: SecretFolder): string {
  const { passwordFile } = address;
  const parameters: Record<string, string | null> = {
    service: address.service,
    host: address.host,
    port: address.port === null ? null : String(address.port),
    user: address.user,
    sslmode: address.tlsMode,
    sslrootcert: address.caFile,
    passfile: passwordFile === null ? null : secrets.write('pgpass', `*:*:*:*:${escapePassword(passwordFile)}\n`),
    application_name: 'backupx',
    connect_timeout: CONNECT_LIMIT_S,
  };
  return Object.entries(parameters)
    .flatMap(([key, value]) => (value === null ? [] : [`${key}='${value.replaceAll(/[\\']/g, '\\$&')}'`]))
    .join(' ');
}

function escapePassword(file: string): string {
  const password = readFileSync(file, 'utf8').split(/\r?\n/)[0] ?? '';
  return password.replaceAll(/[\\:]/g, '\\$&');
}

function demandPrivate(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats) throw new AppError('CONFIG_INVALID', { problems: `${file} does not exist` });
  if ((stats.mode & 0o077) !== 0) {
    throw new AppError('CONFIG_INVALID', { problems: `${file} can be read by others; run: chmod 600 ${file}` });
  }
}

function checkSlot(slot: string): string {
  if (/^[a-z0-9_]{1,63}$/.test(slot)) return slot;
  const message = 'may only have lower case letters, digits and _';
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--slot', code: 'invalid', message }] });
}
