import { AppError } from '@backupx/contracts/errors';
import type { MysqlConnection } from './connection.ts';

const SYSTEM_NAMES = new Set(['mysql', 'information_schema', 'performance_schema', 'sys']);

/** Names that the databases of one restore get. */
export class TargetNames {
  readonly #connection: Pick<MysqlConnection, 'query'>;
  readonly #taken: string[] = [];

  constructor(connection: Pick<MysqlConnection, 'query'>) {
    this.#connection = connection;
  }

  /** Throws RESTORE_TARGET_INVALID for a name of the server itself, and for one that another of these has. */
  async take(name: string): Promise<void> {
    const invalid = (reason: string) => new AppError('RESTORE_TARGET_INVALID', { path: name, reason });
    if (SYSTEM_NAMES.has(name.toLowerCase())) throw invalid('it belongs to the server itself');
    const alike = this.#taken.filter((other) => other.toLowerCase() === name.toLowerCase());
    if (alike.includes(name) || (alike.length > 0 && (await this.#ignoresCase())))
      throw invalid('two databases would get this name');
    this.#taken.push(name);
  }

  /** To such a server `Shop` and `shop` are one database: the second would replace the first. */
  async #ignoresCase(): Promise<boolean> {
    const [[value = '0'] = []] = await this.#connection.query('SELECT @@GLOBAL.lower_case_table_names');
    return value !== '0';
  }
}
