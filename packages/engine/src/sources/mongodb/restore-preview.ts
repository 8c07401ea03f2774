import { AppError } from '@backupx/contracts/errors';
import { countObjects, parseInventory } from '../../ports/database-inventory.ts';
import { parseRenames } from '../../ports/database-names.ts';
import { readText } from '../../ports/entry-content.ts';
import { foreseen, RestorePreview, tellStop } from '../../ports/restore-preview.ts';
import type { RestoreContext, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { ArchiveError, type ArchiveInventory } from './archive-format.ts';
import { scanArchive } from './archive-scanner.ts';
import { MongodbConnection } from './connection.ts';
import { objectsOfServer } from './dump-server.ts';
import { displayPlace, type EntryPlace, placeOf } from './entry-paths.ts';
import { assertName, assertReplaceable, nameTwice } from './loaded-database.ts';
import { OtherClients } from './other-clients.ts';
import { listCollections, objectsOfArchive, readInventory } from './read-inventory.ts';
import { type MongodbConfig, type MongodbRestoreOptions, restoreConnection } from './settings.ts';

/** Opens a restore that changes nothing; logs in. Throws DATABASE_*. */
export async function openRestorePreview(config: MongodbConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MongodbRestoreOptions;
  const connection = await MongodbConnection.open(restoreConnection(config, options), context);
  const renames = parseRenames(options.rename);
  const server = connection.address;
  const targets = new Set<string>();
  const versions = new VersionQuestion(connection.serverName, options, context);
  const others = new OtherClients({ connection, options, context });
  function take(target: string): void {
    assertName(target);
    if (targets.has(target)) throw nameTwice(target);
    targets.add(target);
  }
  return new RestorePreview(context, {
    nameOf(path) {
      const place = placeOf(path);
      return place && displayPlace(place);
    },
    async look(path, content) {
      const place = placeOf(path);
      if (place?.item !== 'dump') {
        await lookBeside(place, content, { versions, context });
        return;
      }
      const source = place.database;
      const target = source === null ? null : (renames.get(source) ?? source);
      if (target !== null) take(target);
      const archive = await readArchive(content, source ?? 'the server');
      if (source === null || target === null) {
        context.log('info', `Would restore ${countObjects(objectsOfServer(archive))} to ${server}.`);
        return;
      }
      const there = await readInventory(connection, target);
      const stored = objectsOfArchive(archive, source);
      context.log('info', foreseen(target, { server, there, stored, mayReplace: options.replaceExisting }));
      const wanted = new Set(options.collections);
      const existing = (await listCollections(connection, target)).filter(
        ({ name }) => wanted.size === 0 || wanted.has(name),
      );
      const what = { database: target, existing };
      await tellStop(target, context, () => assertReplaceable({ connection, options, others }, what));
    },
    close: () => connection.close(),
  });
}

/** What is no dump: an inventory says where the dump before it comes from. */
async function lookBeside(
  place: EntryPlace | null,
  content: AsyncIterable<Uint8Array>,
  { versions, context }: { readonly versions: VersionQuestion; readonly context: RestoreContext },
): Promise<void> {
  if (place?.item === 'inventory') {
    const { server } = parseInventory(await readText(content));
    const name = displayPlace(place);
    await tellStop(name, context, async () => versions.ask(name, server));
  } else for await (const _ of content);
}

async function readArchive(content: AsyncIterable<Uint8Array>, name: string): Promise<ArchiveInventory> {
  try {
    return await scanArchive(content);
  } catch (error) {
    if (error instanceof ArchiveError) throw new AppError('DATABASE_DUMP_DAMAGED', { name, reason: error.message });
    throw error;
  }
}
