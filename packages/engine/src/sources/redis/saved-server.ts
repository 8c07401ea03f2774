/** Which server a dump comes from, as the fields at its head say. */
import { peek } from '../../ports/entry-content.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { DUMP_PATH, pathOfEntry } from './entry-paths.ts';
import { RdbError, RdbParser } from './rdb-parser.ts';

const MAX_HEAD_BYTES = 4 * 1024;

function serverIn(head: Buffer): string | null {
  const parser = new RdbParser();
  try {
    parser.push(head);
  } catch (error) {
    // What is wrong with it is told by whoever reads it.
    if (!(error instanceof RdbError)) throw error;
  }
  return parser.facts.server || null;
}

/** `Redis 7.0.15`, `Valkey 8.1.0`; null: it does not say. Answers the whole dump, too. */
export async function peekServer(dump: AsyncIterable<Uint8Array>) {
  return await peek(dump, serverIn, MAX_HEAD_BYTES);
}

/** See `SourceDriver.savedServer`. */
export async function savedServer({ path, content }: Pick<RestoreEntry, 'path' | 'content'>): Promise<string | null> {
  return pathOfEntry(path) === DUMP_PATH && content ? (await peekServer(content)).found : null;
}
