/**
 * The Backint agent: what SAP HANA starts for every backup, restore, inquiry and deletion. A door of its own into this
 * package, beside the engine: such a call has no job and no threads, only pipes and a storage.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { answerCall } from './backint/answer-call.ts';
import { readParameters } from './backint/parameters.ts';
import { type BackintFunction, backintFunctions } from './backint/parse-input.ts';
import { PROTOCOL_VERSION } from './backint/replies.ts';
import { fieldsOfStorage, openDirectStorage, openLog } from './open-direct-storage.ts';
import { systemClock } from './ports/clock.ts';

/** The flags of a call, as the database gave them. */
export interface BackintCall {
  readonly function: string;
  readonly user: string;
  readonly parameterFile: string;
  /** Null: standard input. */
  readonly inputFile: string | null;
  /** Null: standard output. */
  readonly outputFile: string | null;
  readonly backupId: string | null;
  readonly level: string | null;
  /** Name and version of the program. */
  readonly agent: string;
  readonly signal: AbortSignal;
  /** For people: what went wrong. */
  say(message: string): void;
}

/** What `-v` prints. */
export function backintVersion(agent: string): string {
  return `"Backint ${PROTOCOL_VERSION}" "${agent}"`;
}

/**
 * Answers one call. Throws CONFIG_INVALID for the parameter file, INVALID_INPUT for the call itself, CANCELLED when it
 * was stopped; failures of single items are lines of the answer.
 */
export async function runBackint(call: BackintCall): Promise<void> {
  const name = checkFunction(call.function);
  const { storage: target, logFile, ...parameters } = readParameters(call.parameterFile, fieldsOfStorage);
  const log = openLog(logFile);
  const storage = openDirectStorage(target);
  const output = call.outputFile === null ? null : openSync(call.outputFile, 'w', 0o600);
  try {
    await answerCall({
      function: name,
      user: call.user,
      input: readFileSync(call.inputFile ?? 0, 'utf8'),
      backupId: call.backupId,
      level: call.level,
      parameters,
      storage,
      agent: call.agent,
      clock: systemClock,
      signal: call.signal,
      reply: (line) => writeSync(output ?? 1, `${line}\n`),
      log,
      warn(message) {
        log(message);
        call.say(message);
      },
    });
  } finally {
    if (output !== null) closeSync(output);
    await storage.close?.();
  }
  if (call.signal.aborted) throw new AppError('CANCELLED');
}

function checkFunction(name: string): BackintFunction {
  const known = backintFunctions.find((item) => item === name.toLowerCase());
  if (known) return known;
  const message = `must be one of ${backintFunctions.join(', ')}`;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '-f', code: 'invalid', message }] });
}
