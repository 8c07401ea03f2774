/** Output of mongodump, which waits for ever when its server dies in the middle of an archive. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../ports/clock.ts';
import type { ToolProcess } from '../../ports/processes.ts';
import type { MongodbConnection } from './connection.ts';

const SILENT_MS = 5_000;
const ANSWER_MS = 5_000;

/** Passes `output` of `tool` on; while none comes the server is asked. Throws DATABASE_UNREACHABLE when it is gone. */
export async function* whileServerLives(
  connection: MongodbConnection,
  tool: ToolProcess,
  output: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const next = output.next();
      await arrivedOrAlive(connection, tool, next);
      const { done, value } = await next;
      if (done) return;
      yield value;
    }
  } finally {
    tool.kill();
    await output.return(undefined);
  }
}

async function arrivedOrAlive(connection: MongodbConnection, tool: ToolProcess, next: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const arrived = next.then(
    () => done.abort(),
    () => done.abort(),
  );
  while (!done.signal.aborted) {
    await systemClock.sleep(SILENT_MS, done.signal).catch(() => {});
    if (done.signal.aborted) break;
    try {
      await connection.command('admin', { ping: 1 }, { timeoutMs: ANSWER_MS });
    } catch (error) {
      tool.kill();
      await arrived;
      if (connection.signal.aborted) throw new AppError('CANCELLED', {}, { cause: error });
      const reason = 'it does not answer any more';
      throw new AppError('DATABASE_UNREACHABLE', { server: connection.address, reason }, { cause: error });
    }
  }
}

const LOOK_MS = 15_000;
const PATIENCE_MS = 60_000;

/** Kills a program whose server does not answer for a minute. Answers why it did, or null when the program has ended. */
export async function killWhenServerDies(connection: MongodbConnection, tool: ToolProcess): Promise<AppError | null> {
  const ended = new AbortController();
  void tool.ended.then(() => ended.abort());
  for (;;) {
    await systemClock.sleep(LOOK_MS, ended.signal).catch(() => {});
    if (ended.signal.aborted) return null;
    try {
      await connection.command('admin', { ping: 1 }, { timeoutMs: PATIENCE_MS });
    } catch (error) {
      if (connection.signal.aborted) return null;
      tool.kill();
      const reason = 'it does not answer any more';
      return new AppError('DATABASE_UNREACHABLE', { server: connection.address, reason }, { cause: error });
    }
  }
}
