/**
 * What a receiver that was killed had not stored yet. Usually the server still has it and sends it again; but it may have
 * removed it meanwhile, or be gone itself, and then the spool holds the last copy.
 */
import { createReadStream } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';
import { numberOf, parseBinlogName } from './binlog-names.ts';
import type { StoredBinlog } from './binlog-store.ts';
import { readBinlog } from './read-binlog.ts';
import { type StoringOptions, storePartialLog, storeWholeLog } from './store-logs.ts';

/**
 * Stores what goes on where the archive ends; what cannot be read is passed over. Throws CONFIG_INVALID when it was
 * received for another archive, BINLOG_CONFLICT, STORAGE_*.
 */
export async function storeLeftovers(options: StoringOptions): Promise<void> {
  const { store, spool, signal } = options;
  spool.receiveFor(store.settings.prefix);
  const logs = spool.logs();
  if (logs.length === 0) return;
  const [archived, partial] = [await store.list(signal), await store.partial(signal)];
  let last: StoredBinlog | null = archived.at(-1) ?? null;
  try {
    for (const [index, log] of logs.entries()) {
      if (!goesOn(log.name, last, partial)) continue;
      // The program has written all but the last to their ends.
      const isWhole = index < logs.length - 1 || (await isClosed(options, log.name));
      if (isWhole) last = await storeWholeLog(options, log.name, last);
      else await storePartialLog(options, log, last);
    }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BINLOG_DAMAGED') throw error;
    // As a machine that lost its power leaves it.
    options.log(`${error.message} It is left in ${spool.path} for now, and asked of the server again.`);
  }
}

function goesOn(name: string, last: StoredBinlog | null, partial: StoredBinlog | null): boolean {
  const before = last ?? partial;
  if (!before) return true;
  if (parseBinlogName(before.name)?.base !== parseBinlogName(name)?.base) return false;
  return numberOf(name) === (last ? numberOf(last.name) + 1 : numberOf(before.name));
}

async function isClosed({ spool }: StoringOptions, name: string): Promise<boolean> {
  const facts = await readBinlog(createReadStream(spool.at(name)), { name, isPartial: true });
  return facts.end !== 'open';
}
