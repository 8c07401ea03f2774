/** Which server a dump comes from, as the comments at its head say. */
import { peek } from '../../ports/entry-content.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { describeProduct, serverProduct } from './flavour.ts';

/** The programs of both flavours write it, in a comment that comes before the first statement. */
const VERSION_LINE = /^-- Server version\s+(\S+).*\n/m;
const MAX_HEAD_BYTES = 8 * 1024;

/** `MariaDB 10.11.19`; null: it does not say. Answers the whole dump, too. */
export async function peekServer(dump: AsyncIterable<Uint8Array>) {
  const look = (head: Buffer): string | null => {
    const version = VERSION_LINE.exec(head.toString('latin1'))?.[1];
    return version === undefined ? null : describeProduct(serverProduct(version));
  };
  return await peek(dump, look, MAX_HEAD_BYTES);
}

/** See `SourceDriver.savedServer`. */
export async function savedServer({ path, content }: Pick<RestoreEntry, 'path' | 'content'>): Promise<string | null> {
  const isDump = Buffer.from(path).toString('utf8').endsWith('/dump.sql');
  return isDump && content ? (await peekServer(content)).found : null;
}
