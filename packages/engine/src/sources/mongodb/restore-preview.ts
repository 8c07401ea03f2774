import { AppError } from '@backupx/contracts/errors';
import { countObjects } from '../../ports/database-inventory.ts';
import { parseRenames } from '../../ports/database-names.ts';
import { foreseen, RestorePreview } from '../../ports/restore-preview.ts';
import type { RestoreContext, RestoreSession } from '../../ports/source.ts';
import { ArchiveError, type ArchiveInventory } from './archive-format.ts';
import { scanArchive } from './archive-scanner.ts';
import { MongodbConnection } from './connection.ts';
import { objectsOfServer } from './dump-server.ts';
import { displayPlace, placeOf } from './entry-paths.ts';
import { objectsOfArchive, readInventory } from './read-inventory.ts';
import { type MongodbConfig, type MongodbRestoreOptions, restoreConnection } from './settings.ts';

/** Opens a restore that changes nothing; logs in. Throws DATABASE_*. */
export async function openRestorePreview(config: MongodbConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MongodbRestoreOptions;
  const connection = await MongodbConnection.open(restoreConnection(config, options), context);
  const renames = parseRenames(options.rename);
  const server = connection.address;
  return new RestorePreview(context, {
    nameOf(path) {
      const place = placeOf(path);
      return place && displayPlace(place);
    },
    async look(path, content) {
      const place = placeOf(path);
      if (place?.item !== 'dump') {
        for await (const _ of content);
        return;
      }
      const source = place.database;
      const archive = await readArchive(content, source ?? 'the server');
      if (source === null) {
        context.log('info', `Would restore ${countObjects(objectsOfServer(archive))} to ${server}.`);
        return;
      }
      const target = renames.get(source) ?? source;
      const there = await readInventory(connection, target);
      const stored = objectsOfArchive(archive, source);
      context.log('info', foreseen(target, { server, there, stored, mayReplace: options.replaceExisting }));
    },
    close: () => connection.close(),
  });
}

async function readArchive(content: AsyncIterable<Uint8Array>, name: string): Promise<ArchiveInventory> {
  try {
    return await scanArchive(content);
  } catch (error) {
    if (error instanceof ArchiveError) throw new AppError('DATABASE_DUMP_DAMAGED', { name, reason: error.message });
    throw error;
  }
}
