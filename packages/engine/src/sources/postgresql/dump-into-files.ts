/**
 * A dump in pg_dump's directory format: several tables at once, each into a file of its own, in the folder for temporary
 * files. When all of it is there its files pass on, under pg_dump's own names. Those tell numbers that shift when a table
 * is made; a repository knows content by itself, so what is only called otherwise is not stored again.
 */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { SourceEntry } from '../../ports/source.ts';
import { folderEntry, streamEntry } from '../../ports/stream-entry.ts';
import { dumpPath } from './entry-paths.ts';
import type { FolderScanner } from './folder-scanner.ts';
import { type DumpMoment, type DumpParts, isFiltered, runDump } from './pg-dump.ts';
import { lookForSpace } from './staging-space.ts';

const READ_BYTES = 1024 * 1024;
/** By what the server last counted, so that no lock is waited for. Compressed values are longer in a dump. */
const SIZE = `SELECT coalesce(sum(relpages::bigint), 0) * current_setting('block_size')::bigint AS bytes
  FROM pg_class WHERE relkind IN ('r', 't') AND (oid >= 16384 OR relname = 'pg_largeobject')`;

export interface FilesOptions extends DumpMoment {
  readonly scanner: FolderScanner;
}

/** Yields the folder and its files in order of their names. Throws DATABASE_*, SOURCE_FAILED when there is no room. */
export async function* dumpIntoFiles(parts: DumpParts, options: FilesOptions): AsyncGenerator<SourceEntry> {
  const { server, config, context, modifiedAt } = parts;
  const { database, session, snapshot, scanner } = options;
  const path = dumpPath(database, 'directory');
  const folder = server.secrets.folder('dump');
  try {
    if (!isFiltered(config)) await checkSpace(folder, options, context);
    const format = ['--format=directory', '--no-sync', `--jobs=${config.parallelJobs}`, `--file=${folder}`];
    for await (const _ of runDump(parts, { database, session, snapshot, format }));
    yield folderEntry({ path: path, modifiedAt });
    for (const name of readdirSync(folder).sort()) {
      const file = join(folder, name);
      const sizeBytes = statSync(file).size;
      const stream = scanner.taking(name, readWhole(file, sizeBytes, database));
      yield streamEntry({ path: `${path}/${name}`, modifiedAt, stream, sizeBytes });
      server.secrets.discard(file);
    }
  } finally {
    server.secrets.discard(folder);
  }
}

async function checkSpace(
  folder: string,
  { database, session }: FilesOptions,
  context: DumpParts['context'],
): Promise<void> {
  const [row] = await session.query<{ bytes: number }>(SIZE);
  const sizeBytes = row?.bytes ?? 0;
  const what = `the dump of "${database}"`;
  const remark = await lookForSpace(folder, { what, leastBytes: 0, wantedBytes: sizeBytes });
  if (remark !== null) context.log('warn', remark);
}

async function* readWhole(path: string, sizeBytes: number, database: string): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
    size += chunk.byteLength;
    yield chunk;
  }
  if (size === sizeBytes) return;
  throw new AppError('DATABASE_DUMP_INCOMPLETE', { name: database, reason: `${path} changed while it was read` });
}
