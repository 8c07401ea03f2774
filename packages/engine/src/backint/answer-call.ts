/**
 * Answers one Backint call: what is asked for is done from top to bottom, each item gets exactly one line, whatever happens:
 * as soon as it is over where data moves, else in the order of the questions. Nothing is kept between calls: names of
 * objects are the catalogue.
 */
import { AppError } from '@backupx/contracts/errors';
import { describeError } from '../direct-storage/describe-error.ts';
import { runInOrder } from '../direct-storage/run-in-order.ts';
import { openObject, sealObject } from '../direct-storage/sealed-object.ts';
import type { Clock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import { type Catalogue, openCatalogue } from './catalogue.ts';
import { fileFolder, newEbid, objectName, type StoredBackup } from './object-keys.ts';
import type { BackintParameters } from './parameters.ts';
import { type BackintFunction, type BackintItem, parseInput } from './parse-input.ts';
import { readPlace } from './read-place.ts';
import { answeredVersion, backupLine, itemLine, savedLine, softwareLine } from './replies.ts';
import type { Word } from './words.ts';
import { writePlace } from './write-place.ts';

/** Recovery reads the log in order. */
const LOG_BACKUP = /(^|\/)log_backup[^/]*$/;

export interface AnswerOptions {
  readonly function: BackintFunction;
  readonly user: string;
  readonly input: string;
  /** Only written into the objects. */
  readonly backupId: string | null;
  readonly level: string | null;
  readonly parameters: Omit<BackintParameters, 'storage' | 'logFile'>;
  readonly storage: Storage;
  /** Name and version of this program. */
  readonly agent: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes one line of the answer. Throws when it cannot be written. */
  reply(line: string): void;
  /** What was done. */
  log(message: string): void;
  /** What failed, and why. */
  warn(message: string): void;
}

type Work = (item: BackintItem, call: OpenCall) => Promise<void>;

interface OpenCall extends AnswerOptions {
  readonly version: string;
  readonly catalogue: Catalogue;
}

const works: Record<BackintFunction, Work> = {
  backup: saveItem,
  restore: restoreItem,
  inquire: listItem,
  delete: deleteItem,
};

/** Ends when every item has its line. Throws INVALID_INPUT when the input is malformed, and what `reply` throws. */
export async function answerCall(options: AnswerOptions): Promise<void> {
  const { parameters } = options;
  const { version: asked, items } = parseInput(options.input, options.function);
  const version = answeredVersion(asked);
  const isReading = options.function === 'restore' || options.function === 'inquire';
  const user = isReading ? (parameters.recoveryUser ?? options.user) : options.user;
  const catalogue = openCatalogue(options.storage, parameters.prefix, user);
  const call: OpenCall = { ...options, version, catalogue };
  call.reply(softwareLine(version, options.agent));
  const movesData = options.function === 'backup' || options.function === 'restore';
  let before: Promise<void> = Promise.resolve();
  const answer = (item: BackintItem): Promise<void> => {
    const turn = movesData ? Promise.resolve() : before;
    before = answerItem(item, call, turn);
    return before;
  };
  await runInOrder(items, answer, {
    parallelism: parameters.parallelism,
    isSerial: (item) => options.function === 'restore' && LOG_BACKUP.test(item.file?.value ?? ''),
  });
}

/** Its lines are written when `turn` has come; the work does not wait for that. */
async function answerItem(item: BackintItem, call: OpenCall, turn: Promise<void>): Promise<void> {
  const lines: string[] = [];
  try {
    await works[call.function](item, { ...call, reply: (line) => lines.push(line) });
  } catch (error) {
    call.warn(`${call.function} ${item.ebid ?? ''} ${item.file?.value ?? ''}: ${describeError(error)}`);
    const ebid = call.function === 'restore' ? null : item.ebid;
    lines.splice(0, lines.length, itemLine('#ERROR', ebid, item.file));
  }
  await turn;
  for (const line of lines) call.reply(line);
}

async function saveItem({ file }: BackintItem, call: OpenCall): Promise<void> {
  const { parameters, signal } = call;
  const { raw, value } = required(file);
  const ebid = newEbid(call.clock);
  const key = `${fileFolder(parameters.prefix, call.user, value)}${objectName(ebid, parameters.recipients.length > 0)}`;
  const data = readPlace(value, { signal, openTimeoutMs: parameters.openTimeoutMs, clock: call.clock });
  const sealed = sealObject(data, {
    header: { format: 1, user: call.user, file: value, ebid, backupId: call.backupId, level: call.level },
    recipients: parameters.recipients,
    compressionLevel: parameters.compressionLevel,
    signal,
  });
  await call.storage.put(key, sealed, { signal });
  call.log(`backup ${ebid} ${value}: ${sealed.sizeBytes()} bytes`);
  call.reply(savedLine(ebid, { raw, value }, sealed.sizeBytes()));
}

async function restoreItem(item: BackintItem, call: OpenCall): Promise<void> {
  const { parameters, signal } = call;
  const file = required(item.file);
  const backup = await findBackup(item.ebid, file.value, call);
  if (!backup) {
    call.reply(itemLine('#NOTFOUND', null, file));
    return;
  }
  const { ebid, isEncrypted } = backup;
  const data = openObject(call.storage.get(backup.key, { signal }), {
    expected: { file: file.value, ebid },
    isEncrypted,
    identities: parameters.identities,
    signal,
  });
  const place = item.destination ?? file.value;
  await writePlace(place, data, { signal, openTimeoutMs: parameters.openTimeoutMs, clock: call.clock });
  call.log(`restore ${ebid} ${file.value}${item.destination ? ` to ${place}` : ''}`);
  call.reply(itemLine('#RESTORED', ebid, file));
}

async function findBackup(ebid: string | null, file: string, call: OpenCall): Promise<StoredBackup | null> {
  if (ebid !== null) return await call.catalogue.find(ebid, file, call.signal);
  return (await call.catalogue.list(file, call.signal))[0] ?? null;
}

async function listItem({ ebid, file }: BackintItem, call: OpenCall): Promise<void> {
  const name = file?.value ?? null;
  const one = ebid === null ? null : await call.catalogue.find(ebid, name, call.signal);
  const found = ebid === null ? await call.catalogue.list(name, call.signal) : one ? [one] : [];
  if (found.length === 0) call.reply(itemLine('#NOTFOUND', ebid, file));
  for (const backup of found) call.reply(backupLine(call.version, backup));
}

async function deleteItem({ ebid, file }: BackintItem, call: OpenCall): Promise<void> {
  const { catalogue, signal } = call;
  const name = required(file).value;
  const backup = ebid === null ? null : await catalogue.find(ebid, name, signal);
  if (ebid === null || !backup) {
    call.reply(itemLine('#NOTFOUND', ebid, file));
    return;
  }
  await call.storage.delete(backup.key, signal);
  // A place that keeps what it was told to delete (retention, a lock on objects) may well have said yes.
  if (await catalogue.find(ebid, name, signal)) throw new Error('the storage still has it after it was deleted');
  call.log(`delete ${ebid} ${name}`);
  call.reply(itemLine('#DELETED', ebid, file));
}

function required(file: Word | null): Word {
  if (!file) throw new AppError('INTERNAL', {}, { cause: new Error('an item without a file') });
  return file;
}
