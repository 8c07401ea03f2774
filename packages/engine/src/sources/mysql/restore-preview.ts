import { parseInventory } from '../../ports/database-inventory.ts';
import { databaseOfFolder, parseRenames } from '../../ports/database-names.ts';
import { readText } from '../../ports/entry-content.ts';
import { foreseen, RestorePreview, tellStop } from '../../ports/restore-preview.ts';
import type { RestoreContext, RestoreSession } from '../../ports/source.ts';
import { VersionQuestion } from '../../ports/version-difference.ts';
import { MysqlConnection } from './connection.ts';
import { loadDump } from './load-dump.ts';
import { readInventory } from './read-inventory.ts';
import { assertReplaceable } from './replaceable.ts';
import { tellLeftOut } from './restore-warnings.ts';
import { type MysqlConfig, type MysqlRestoreOptions, restoreConnection } from './settings.ts';
import { TargetNames } from './target-names.ts';

/** Opens a restore that changes nothing; logs in. Throws DATABASE_*. */
export async function openRestorePreview(config: MysqlConfig, context: RestoreContext): Promise<RestoreSession> {
  const options = context.options as MysqlRestoreOptions;
  const connection = await MysqlConnection.open(restoreConnection(config, options), context);
  const renames = parseRenames(options.rename);
  const targets = new TargetNames(connection);
  const versions = new VersionQuestion(connection.serverName, options, context);
  return new RestorePreview(context, {
    nameOf: (path) => Buffer.from(path).toString('utf8'),
    async look(path, content) {
      const [, folder = '', file = ''] = Buffer.from(path).toString('utf8').replace(/^\/*/, '').split('/');
      if (file === 'inventory.json') {
        const inventory = parseInventory(await readText(content));
        const source = databaseOfFolder(folder);
        await tellStop(source, context, async () => versions.ask(source, inventory.server));
        tellLeftOut(source, inventory, context);
        return;
      }
      if (file !== 'dump.sql') {
        for await (const _ of content);
        return;
      }
      const source = databaseOfFolder(folder);
      const target = renames.get(source) ?? source;
      await targets.take(target);
      const dump = await loadDump({ database: source, scratch: target, content, writeTables: async () => {} });
      const { objects } = await readInventory(connection, target);
      const what = { server: connection.address, there: objects, stored: dump.objects };
      context.log('info', foreseen(target, { ...what, mayReplace: options.replaceExisting }));
      await tellStop(target, context, () => assertReplaceable({ connection, options }, target));
    },
    close: () => connection.close(),
  });
}
