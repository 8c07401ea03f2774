/** What others do in a database that a restore is about to replace: it stops the restore, or is ended. */
import { describeSession } from '@backupx/contracts/describe-session';
import { AppError } from '@backupx/contracts/errors';
import { endSessions } from '../../ports/end-sessions.ts';
import type { RestoreContext } from '../../ports/source.ts';
import type { MongodbConnection } from './connection.ts';
import { type OperationPlace, operationsIn, type RunningOperation, readOperations, sessionsOf } from './sessions.ts';
import type { MongodbRestoreOptions } from './settings.ts';

const LISTED = 10;
export const WHY_UNKNOWN =
  'Who is connected is unknown: the user may not ask what runs on the server (the right inprog, which the role clusterMonitor has).';

interface Parts {
  readonly connection: Pick<MongodbConnection, 'command' | 'appName' | 'signal'>;
  readonly options: Pick<MongodbRestoreOptions, 'endSessions'>;
  readonly context: Pick<RestoreContext, 'log'>;
}

/** Those of one restore. */
export class OtherClients {
  readonly #parts: Parts;
  #isTold = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Throws DATABASE_IN_USE with the list, also when somebody cannot be sent away. What may be ended is ended right before
   * the swap, and not earlier. Where the server does not tell, that is logged.
   */
  async assertGone(place: OperationPlace, { isSwapNext = false } = {}): Promise<void> {
    const { connection, options } = this.#parts;
    if (options.endSessions && !isSwapNext) return;
    const operations = await this.#list(place);
    if (operations.length === 0) return;
    if (!options.endSessions) throw inUse(place, operations);
    await endSessions(operations, {
      list: () => this.#list(place),
      end: ({ opid }) => connection.command('admin', { killOp: 1, op: opid }, { doing: 'end what others do (killOp)' }),
      inUse: (left, cause) => inUse(place, left, cause),
      signal: connection.signal,
    });
  }

  async #list(place: OperationPlace): Promise<readonly RunningOperation[]> {
    const operations = await readOperations(this.#parts.connection);
    if (operations === null && !this.#isTold) {
      this.#isTold = true;
      this.#parts.context.log('warn', WHY_UNKNOWN);
    }
    return operationsIn(place, operations ?? []);
  }
}

function inUse({ database }: OperationPlace, operations: readonly RunningOperation[], cause?: unknown): AppError {
  const sessions = sessionsOf(operations);
  const more = sessions.length > LISTED ? ` and ${sessions.length - LISTED} more` : '';
  const list = sessions.slice(0, LISTED).map(describeSession).join(', ');
  return new AppError('DATABASE_IN_USE', { name: `database ${database}`, sessions: list + more }, { cause });
}
