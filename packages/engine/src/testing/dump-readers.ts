/** A source that streams, for tests: a small text and a dump of 9 MB that may break in the middle. */
import { AppError } from '@backupx/contracts/errors';
import type { SourceEntry, SourceReaders } from '../ports/source.ts';
import { folderEntry, streamEntry, textEntry } from '../ports/stream-entry.ts';

export const DUMP = Buffer.alloc(9_000_000, 'INSERT INTO t VALUES (1);\n');
const modifiedAt = new Date('2026-01-02T03:04:05Z');

export async function* dumpEntries({ isBroken }: { readonly isBroken: boolean }): AsyncGenerator<SourceEntry> {
  yield folderEntry({ path: '/dumps', modifiedAt });
  yield textEntry({ path: '/dumps/a.json', modifiedAt, text: '{}' });
  yield streamEntry({ path: '/dumps/b.sql', modifiedAt, stream: dump() });

  async function* dump() {
    for (let at = 0; at < DUMP.byteLength; at += 100_000) {
      if (isBroken && at > DUMP.byteLength / 2) throw new AppError('SOURCE_FAILED', { reason: 'the server went away' });
      yield DUMP.subarray(at, at + 100_000);
    }
  }
}

export const sourceReaders: SourceReaders = { dumps: { entries: dumpEntries } };
