/**
 * Proves a physical backup. `quick`: every file is read and compared with the list made while it was copied. `deep`: it
 * is also unpacked, made ready, and a server is started on it without a network, which counts objects and rows and looks
 * through all tables.
 */
import { rmSync } from 'node:fs';
import { toAppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { countObjects, missingObjects } from '../../../ports/database-inventory.ts';
import { makeScratchFolder } from '../../../ports/scratch-place.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../../ports/source.ts';
import type { Scratch } from '../../../ports/start-scratch.ts';
import { checkTables } from '../check-tables.ts';
import type { MysqlConnection } from '../connection.ts';
import { listDatabases } from '../list-databases.ts';
import { startScratchServer } from '../scratch-server.ts';
import { CopyEntries } from './copy-entries.ts';
import { countTables, listObjects } from './list-objects.ts';
import { ROOT } from './paths.ts';
import type { PhysicalConfig, PhysicalRestoreOptions } from './physical-settings.ts';
import { argsOfCopy, prepareCopy, productOfCopy } from './prepare-copy.ts';
import { writeBelow } from './write-below.ts';

/** Opens it. */
export async function openPhysicalVerifier(config: PhysicalConfig, context: VerifyContext): Promise<Verifier> {
  return new PhysicalVerifier(config, context);
}

class PhysicalVerifier implements Verifier {
  readonly #context: VerifyContext;
  readonly #toolFolder: string;
  readonly #entries = new CopyEntries();
  #folder: string | null = null;
  #server: Scratch<MysqlConnection> | null = null;

  constructor(config: PhysicalConfig, context: VerifyContext) {
    this.#context = context;
    this.#toolFolder = (context.options as PhysicalRestoreOptions).toolFolder || config.toolFolder;
  }

  async write(entry: RestoreEntry): Promise<void> {
    await this.#entries.take(entry, async (path, content) => {
      if (this.#context.depth === 'deep') await writeBelow(this.#data(), path, content);
      else for await (const _ of content);
    });
  }

  async finish(): Promise<readonly VerifyCheck[]> {
    const { inventory, listed } = this.#entries;
    const wrong = this.#entries.differences();
    const whole = `${listed?.count ?? 0} files with ${listed?.bytes ?? 0} bytes, each as it was copied`;
    const checks: VerifyCheck[] = [check('structure', wrong, whole)];
    if (!inventory) checks.push(check('inventory', ['there is no inventory beside it'], ''));
    else checks.push(check('inventory', [], countObjects(inventory.objects)));
    if (this.#context.depth !== 'deep' || wrong.length > 0) return checks;
    try {
      return [...checks, ...(await this.#prove())];
    } catch (error) {
      const failure = toAppError(error);
      // What the programs make of the files is an answer; that there are none says nothing of them.
      if (failure.code !== 'DATABASE_TOOL_FAILED' || this.#context.signal.aborted) throw error;
      return [...checks, check('restore', [failure.message], '')];
    }
  }

  async close(): Promise<void> {
    const [server, folder] = [this.#server, this.#folder];
    this.#server = null;
    this.#folder = null;
    try {
      await server?.close();
    } finally {
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    }
  }

  async #prove(): Promise<VerifyCheck[]> {
    const { signal, log } = this.#context;
    const data = this.#data();
    const tool = await prepareCopy(data, { toolFolder: this.#toolFolder, signal });
    const lowerCase = this.#entries.inventory?.details.lowerCaseTableNames ?? '';
    const args = [...argsOfCopy(data), ...(lowerCase === '' ? [] : [`--lower-case-table-names=${lowerCase}`])];
    const product = productOfCopy(data);
    this.#server = await startScratchServer({
      ...{ ...this.#context, product, toolFolder: this.#toolFolder },
      existing: { dataFolder: data, args },
    });
    const { connection } = this.#server;
    log('info', `Made ready by ${tool.path}; ${connection.serverName} runs on it.`);
    const restored = check(
      'restore',
      [],
      `made ready by ${tool.name} ${tool.version}, started with ${connection.serverName}`,
    );
    const [rows, engine] = [await this.#rows(connection), await this.#engine(connection)];
    return [restored, rows, engine];
  }

  async #rows(connection: MysqlConnection): Promise<VerifyCheck> {
    const expected = this.#entries.inventory?.objects ?? [];
    const counts = await countTables(connection, { atPosition: null });
    const found = (await listObjects(connection, { isScratch: true })).map((object) => {
      const rows = object.kind === 'table' ? counts.get(object.name) : undefined;
      return rows === undefined ? object : { ...object, rows };
    });
    const compared = expected.filter(({ rows }) => rows !== undefined).length;
    const sum = [...counts.values()].reduce((total, rows) => total + rows, 0);
    return check(
      'rows',
      missingObjects(expected, found),
      `${countObjects(found)}; ${sum} rows, those of ${compared} tables compared with the backup`,
    );
  }

  async #engine(connection: MysqlConnection): Promise<VerifyCheck> {
    const [bad, badViews]: [string[], string[]] = [[], []];
    let count = 0;
    for (const database of await listDatabases(connection)) {
      const found = await checkTables(connection, database);
      bad.push(...found.bad);
      badViews.push(...found.badViews);
      count += found.count;
    }
    // Their files are as they were copied; what they refer to was gone before, or is looked for as a table that is missing.
    const views = badViews.length === 0 ? '' : `; ${badViews.length} views refer to what is not there`;
    return check('engine', bad, `CHECK TABLE: ${count - badViews.length} in order${views}`);
  }

  #data(): string {
    this.#folder ??= makeScratchFolder(this.#context.tempDir);
    return this.#folder;
  }
}

function check(name: VerifyCheck['name'], wrong: readonly string[], good: string): VerifyCheck {
  const detail = wrong.length > 5 ? `${wrong.slice(0, 5).join('; ')}; and ${wrong.length - 5} more` : wrong.join('; ');
  return { subject: ROOT, name, ok: wrong.length === 0, detail: detail || good };
}
