/** Which server an archive comes from, as its head says. */
import { peek } from '../../ports/entry-content.ts';
import type { RestoreEntry } from '../../ports/source.ts';
import { ArchiveError } from './archive-format.ts';
import { ArchiveReader } from './archive-reader.ts';
import { placeOf } from './entry-paths.ts';

function serverIn(head: Buffer): string | null {
  try {
    for (const event of new ArchiveReader().push(head)) {
      if (event.kind === 'header') return `MongoDB ${event.header.serverVersion}`;
    }
  } catch (error) {
    // What is wrong with it is told by whoever reads it.
    if (!(error instanceof ArchiveError)) throw error;
  }
  return null;
}

/** As inventories have it; null: it does not say. Answers the whole archive, too. */
export async function peekServer(archive: AsyncIterable<Uint8Array>) {
  return await peek(archive, serverIn);
}

/** See `SourceDriver.savedServer`. */
export async function savedServer({ path, content }: Pick<RestoreEntry, 'path' | 'content'>): Promise<string | null> {
  return placeOf(path)?.item === 'dump' && content ? (await peekServer(content)).found : null;
}
