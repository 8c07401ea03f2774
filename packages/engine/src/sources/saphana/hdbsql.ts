/** SAP's own client. What it answers is read in one form only, whatever its version makes of quotes and separators. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { describeEnd, isSuccess, runTool, type ToolText } from '../../ports/processes.ts';
import type { HanaConfig } from './config.ts';
import { findSystemUser, type SystemUser } from './system-user.ts';

const QUESTION_TIMEOUT_MS = 30_000;
/** A backup may take as long as it takes. */
const NO_LIMIT_MS = 2 ** 31 - 1;
const ROW = /row((?::[0-9A-F]*)+)/g;

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly isLong?: boolean;
}

export class Hdbsql {
  readonly program: string;
  readonly #key: string;
  readonly #runAs: SystemUser | null;

  private constructor(program: string, key: string, runAs: SystemUser | null) {
    this.program = program;
    this.#key = key;
    this.#runAs = runAs;
  }

  /** Connects to nothing yet. Throws DATABASE_TOOL_MISSING, SOURCE_FAILED. */
  static async open(config: HanaConfig, signal: AbortSignal): Promise<Hdbsql> {
    const folders = config.toolFolder === '' ? clientFolders() : [config.toolFolder];
    const program = findTool(['hdbsql'], folders);
    if (!program)
      throw new AppError('DATABASE_TOOL_MISSING', { tool: 'hdbsql', package: 'SAP HANA client (hdbclient)' });
    const runAs = config.systemUser === '' ? null : await findSystemUser(config.systemUser, signal);
    return new Hdbsql(program, config.userStoreKey, runAs);
  }

  get label(): string {
    return `SAP HANA (key ${this.#key})`;
  }

  /** Who owns what HANA is to write into; null: ourselves. */
  get owner(): SystemUser | null {
    return this.#runAs;
  }

  /** Runs a statement. The exit code of hdbsql after an error is not documented, so its messages count as well. */
  async run(statement: string, options: AskOptions): Promise<void> {
    this.#check(await this.#start(statement, options));
  }

  /** Rows of a query; each column comes as hexadecimal text, so no content can be taken for a separator. */
  async query(columns: readonly string[], rest: string, options: AskOptions): Promise<string[][]> {
    const hex = columns.map((column) => `BINTOHEX(TO_BINARY(IFNULL(TO_NVARCHAR(${column}), '')))`).join(" || ':' || ");
    const answer = await this.#start(`SELECT 'row:' || ${hex} ${rest}`, options);
    this.#check(answer);
    return [...answer.text.matchAll(ROW)].map(([, text = '']) =>
      text
        .slice(1)
        .split(':')
        .map((part) => Buffer.from(part, 'hex').toString('utf8')),
    );
  }

  async #start(statement: string, { signal, isLong = false }: AskOptions): Promise<ToolText> {
    const runAs = this.#runAs;
    const args = ['-U', this.#key, '-a', '-x', '-j', '-C', statement];
    const who = runAs ? { runAs, cwd: '/', env: { HOME: runAs.home } } : {};
    const command = { program: this.program, args, ...who };
    return await runTool(command, { signal, timeoutMs: isLong ? NO_LIMIT_MS : QUESTION_TIMEOUT_MS });
  }

  #check(answer: ToolText): void {
    const said = `${answer.messages}\n${answer.text}`;
    const error = /^\* (-?\d+): (.*)/m.exec(said);
    if (isSuccess(answer) && !error) return;
    const reason = error?.[2]?.trim() ?? describeEnd(answer);
    throw this.#failure(Number(error?.[1] ?? 0), reason);
  }

  #failure(code: number, reason: string): AppError {
    const server = this.label;
    if (code === 10 || code === 414 || code === 416) {
      return new AppError('DATABASE_AUTH', { server, user: 'of that key', reason });
    }
    if (code === 258) return new AppError('DATABASE_PERMISSION', { server, user: 'of that key', action: reason });
    if (/certificate|ssl/i.test(reason)) return new AppError('DATABASE_TLS', { server, reason });
    if (code === -10709 || /connection failed|cannot connect/i.test(reason)) {
      return new AppError('DATABASE_UNREACHABLE', { server, reason });
    }
    return new AppError('DATABASE_TOOL_FAILED', { tool: 'hdbsql', reason });
  }
}

/** Where SAP's installers put it. */
function clientFolders(): string[] {
  const instances = names('/usr/sap').flatMap((sid) =>
    names(join('/usr/sap', sid)).flatMap((name) =>
      /^HDB\d\d$/.test(name) ? [join('/usr/sap', sid, name, 'exe')] : [],
    ),
  );
  return ['/usr/sap/hdbclient', '/usr/sap/hdbclient/bin', ...instances];
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
