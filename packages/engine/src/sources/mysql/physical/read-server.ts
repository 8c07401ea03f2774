/** The reading half: every file of the server as its program copies it, the list of them, and what is in them. */
import { AppError } from '@backupx/contracts/errors';
import { systemClock } from '../../../ports/clock.ts';
import {
  countObjects,
  formatInventory,
  type InventoryObject,
  missingObjects,
} from '../../../ports/database-inventory.ts';
import { outputOf, type ToolEnd } from '../../../ports/processes.ts';
import { SecretFolder } from '../../../ports/secret-folder.ts';
import type { BackupContext, SourceEntry } from '../../../ports/source.ts';
import { streamEntry, textEntry } from '../../../ports/stream-entry.ts';
import { reportWarnings } from '../../../ports/tool-warnings.ts';
import { MysqlConnection } from '../connection.ts';
import { describeProduct } from '../flavour.ts';
import { readPrivileges } from '../privileges.ts';
import { BackupNotes } from './backup-notes.ts';
import { findBackupTool } from './backup-tool.ts';
import { COPY_WARNINGS } from './copy-warnings.ts';
import { encryptionDoubts } from './encryption-doubts.ts';
import { FileList } from './file-list.ts';
import { countTables, listObjects } from './list-objects.ts';
import { DATA_FOLDER, ROOT } from './paths.ts';
import { missingPhysicalRights } from './physical-rights.ts';
import type { PhysicalConfig } from './physical-settings.ts';
import { readChunks } from './read-chunks.ts';
import { findDataFolder } from './server-place.ts';
import { type CopyPlace, copyError, startCopy } from './start-copy.ts';
import { listTableFiles, missingFiles, type TableFiles, withoutMissing } from './table-files.ts';
import { takeApart } from './take-apart.ts';

/** Yields the entries. Throws DATABASE_*, SOURCE_NOT_READABLE. */
export async function* readServer(config: PhysicalConfig, context: BackupContext): AsyncGenerator<SourceEntry> {
  const connection = await MysqlConnection.open(config, context);
  try {
    const tool = await findBackupTool(connection.server, { ...config, signal: context.signal });
    const dataFolder = await findDataFolder(connection, config);
    await assertRights(connection);
    for (const message of await encryptionDoubts(connection))
      context.problem({ path: ROOT, code: 'unsupported', message });
    context.log('info', `${connection.serverName} in ${dataFolder}, copied by ${tool.path}.`);
    const copy = new ServerCopy({ connection, tool, dataFolder, context });
    const [before, filesBefore] = [await listObjects(connection), await listTableFiles(connection)];
    yield* copy.files();
    const missing = await copy.reportMissing(filesBefore);
    const objects = withoutMissing(await copy.checkedObjects(before), missing);
    context.log('info', `${copy.list.count} files: ${countObjects(objects)}`);
    const modifiedAt = systemClock.now();
    yield textEntry({ path: `${ROOT}/files.txt`, modifiedAt, text: copy.list.format() });
    const text = formatInventory({
      format: 1,
      server: connection.serverName,
      tool: `${tool.name} ${describeProduct(tool)}`,
      database: '',
      objects,
      details: { ...copy.details, ...(await serverDetails(connection)), dataFolder },
    });
    yield textEntry({ path: `${ROOT}/inventory.json`, modifiedAt, text });
  } finally {
    connection.close();
  }
}

/** Throws DATABASE_PERMISSION. */
async function assertRights(connection: MysqlConnection): Promise<void> {
  const missing = missingPhysicalRights(await readPrivileges(connection), connection.server);
  if (missing.length === 0) return;
  const { address: server, config } = connection;
  const action = `copy it: without ${missing.join(', ')} on *.*`;
  throw new AppError('DATABASE_PERMISSION', { user: config.dbUser, server, action });
}

async function serverDetails(connection: MysqlConnection): Promise<Record<string, string>> {
  const [[lowerCaseTableNames = ''] = []] = await connection.query('SELECT @@GLOBAL.lower_case_table_names');
  return { lowerCaseTableNames };
}

interface CopyParts extends CopyPlace {
  readonly context: BackupContext;
}

class ServerCopy {
  readonly list = new FileList();
  readonly #notes = new BackupNotes();
  readonly #parts: CopyParts;
  details: Record<string, string> = {};

  constructor(parts: CopyParts) {
    this.#parts = parts;
  }

  /** The files, straight from the program. Throws when any of it, or its end, is not as it must be. */
  async *files(): AsyncGenerator<SourceEntry> {
    const { tool, context } = this.#parts;
    const { signal } = context;
    const failure = (end: ToolEnd) => copyError(end, this.#parts);
    const aside = new SecretFolder(context.tempDir);
    const running = startCopy(this.#parts, aside.path);
    try {
      const parts = readChunks(outputOf(running, { signal, failure }));
      for await (const { path, content } of takeApart(parts, aside.path)) {
        const stream = this.list.note(path, this.#notes.keep(path, content));
        yield streamEntry({ path: `${DATA_FOLDER}/${path}`, modifiedAt: systemClock.now(), stream });
      }
      const { messages } = await running.ended;
      if (!/completed OK!\s*$/.test(messages)) {
        throw new AppError('DATABASE_DUMP_INCOMPLETE', {
          name: 'the server',
          reason: `${tool.name} did not say "completed OK!" at its end`,
        });
      }
      reportWarnings(messages, { path: DATA_FOLDER, context, style: COPY_WARNINGS });
      this.details = this.#notes.details();
    } finally {
      running.kill();
      aside.remove();
    }
  }

  /** The program may have passed over a table, and ended well. */
  async reportMissing(before: TableFiles): Promise<Map<string, string[]>> {
    const { connection, context } = this.#parts;
    const missing = missingFiles(before, await listTableFiles(connection), this.list);
    for (const [object, files] of missing) {
      const message = `${object} is missing: the copy has no ${files.join(', ')}`;
      context.problem({ path: DATA_FOLDER, code: 'unreadable', message });
    }
    return missing;
  }

  /** What was there before and after; with rows where nothing was written since. Objects that came or went count for nothing. */
  async checkedObjects(before: readonly InventoryObject[]): Promise<InventoryObject[]> {
    const { connection, context } = this.#parts;
    const after = await listObjects(connection);
    const gone = new Set(missingObjects(before, after));
    const stayed = before.filter(({ kind, name }) => !gone.has(`${kind} ${name} is missing`));
    const { binlogFile, binlogPosition } = this.details;
    if (connection.server.flavour !== 'mariadb' || binlogFile === undefined) return stayed;
    const counts = await countTables(connection, { atPosition: `${binlogFile}:${binlogPosition}` });
    if (counts.size === 0) context.log('info', 'Rows were not counted: the server was written to meanwhile.');
    return stayed.map((object) => {
      const rows = object.kind === 'table' ? counts.get(object.name) : undefined;
      return rows === undefined ? object : { ...object, rows };
    });
  }
}
