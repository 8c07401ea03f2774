/** A physical backup in a scratch folder, with a server of this machine started on it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import { type InventoryObject, missingObjects } from '../../../ports/database-inventory.ts';
import type { VerifyContext } from '../../../ports/source.ts';
import { listDatabases } from '../database-list.ts';
import type { Programs } from '../programs.ts';
import { PsqlSession } from '../psql-session.ts';
import { runAmcheck } from '../run-amcheck.ts';
import { FAST_SETTINGS, ScratchPlace, type ScratchServer, startIn } from '../scratch-server.ts';
import { countRows } from '../server-objects.ts';
import { tellsOfNoRoom } from '../staging-space.ts';
import { listDifferences } from './backup-manifest.ts';
import type { ClusterContent, ContentWriter } from './cluster-content.ts';
import { KEPT_SETTINGS } from './cluster-facts.ts';
import { listRelations } from './cluster-inventory.ts';
import { ClusterWriter } from './cluster-writer.ts';
import { MANIFEST, ROOT } from './entry-paths.ts';
import { runVerifyBackup } from './run-verify-backup.ts';
import { formatTablespaceMap } from './tablespace-map.ts';

const COUNT_LIMITS = { maxTableBytes: null, budgetMs: 3_600_000 };
/** Replaying the WAL of a long backup takes its time. */
const RECOVERY_LIMIT_MS = 4 * 3_600_000;

/** See above. `use` says whose files these are, before the first comes. */
export class ClusterTrial implements ContentWriter {
  readonly #servers: readonly Programs[];
  readonly #context: VerifyContext;
  readonly #place: ScratchPlace;
  readonly #writer: ClusterWriter;
  #content: ClusterContent | null = null;
  #server: ScratchServer | null = null;

  private constructor(servers: readonly Programs[], context: VerifyContext, place: ScratchPlace) {
    this.#servers = servers;
    this.#context = context;
    this.#place = place;
    this.#writer = new ClusterWriter({
      ...{ folder: place.data, owner: place.owner, signal: context.signal, onBytes() {} },
      tablespaceFolder: (oid) => join(place.folder, `tablespace-${oid}`),
    });
    this.#writer.root();
  }

  static async open(servers: readonly Programs[], context: VerifyContext): Promise<ClusterTrial> {
    const place = await ScratchPlace.make(context.tempDir, context.signal);
    try {
      return new ClusterTrial(servers, context, place);
    } catch (error) {
      place.remove();
      throw error;
    }
  }

  use(content: ClusterContent): void {
    this.#content = content;
  }

  folder(path: string, mode: number): void {
    try {
      this.#writer.folder(path, mode);
    } catch (error) {
      throw this.#untold(error);
    }
  }

  async file(path: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
    try {
      await this.#writer.file(path, content, mode);
    } catch (error) {
      throw this.#untold(error);
    }
  }

  /** What the file system says of the scratch folder proves nothing against the backup. */
  #untold(error: unknown): unknown {
    if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') return error;
    const reason = `the backup could not be restored into ${this.#place.folder}: ${(error as Error).message}`;
    return new AppError('SOURCE_FAILED', { reason }, { cause: error });
  }

  /** Throws what proves nothing: no room, no server of this version. */
  async run(): Promise<readonly VerifyCheck[]> {
    const content = this.#content;
    if (!content) throw new Error('nobody said whose files these are');
    const major = content.textOf('PG_VERSION').trim();
    const programs = this.#servers.find((item) => item.major === Number(major));
    if (!programs) throw new AppError('DATABASE_TOOL_MISSING', { tool: 'postgres', package: `postgresql-${major}` });
    const checks: VerifyCheck[] = [];
    const add = (name: VerifyCheck['name'], failures: readonly string[], proven: string) =>
      checks.push({ subject: ROOT, name, ok: failures.length === 0, detail: listDifferences(failures) || proven });
    this.#finishFiles(content);
    const { hasRun, failure } = await runVerifyBackup(this.#place.data, programs, this.#context.signal);
    if (hasRun) add('engine', failure === null ? [] : [failure], 'pg_verifybackup found nothing wrong');
    const details = content.inventory?.details ?? {};
    try {
      this.#server = await this.#start(programs, details);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'DATABASE_TOOL_FAILED') throw error;
      if (tellsOfNoRoom(error.message)) throw error;
      add('restore', [error.message], '');
      return checks;
    }
    add('restore', [], `PostgreSQL ${this.#server.admin.facts.version} came up on it and is consistent`);
    await this.#look(this.#server, content.inventory?.objects ?? [], add);
    return checks;
  }

  #finishFiles(content: ClusterContent): void {
    const writer = this.#writer;
    writer.text(MANIFEST, content.manifestText ?? '');
    writer.markWalArchived();
    writer.linkTablespaces((oid) => writer.tablespaces.get(oid) ?? '');
  }

  async #start(programs: Programs, details: Readonly<Record<string, string>>): Promise<ScratchServer> {
    const { tempDir, signal } = this.#context;
    const { folder } = this.#place;
    const tablespaces = [...this.#writer.tablespaces].map(([oid, location]) => ({ oid, location }));
    if (tablespaces.length > 0) this.#writer.text('tablespace_map', formatTablespaceMap(tablespaces));
    // Settings of the original (memory, archives, libraries) are none of a trial's.
    this.#writer.text('postgresql.auto.conf', '');
    this.#writer.removeSignals();
    const ownFile = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o644 });
      return path;
    };
    const kept = KEPT_SETTINGS.flatMap((name) => (details[name] === undefined ? [] : [[name, details[name]]]));
    return await startIn(this.#place, {
      ...{ programs, tempDir, signal, limitMs: RECOVERY_LIMIT_MS },
      login: details.superuser ?? 'postgres',
      database: details.maintenanceDatabase ?? 'postgres',
      settings: {
        ...FAST_SETTINGS,
        ...Object.fromEntries(kept),
        archive_mode: 'off',
        // A subscription of the original would take what is meant for that.
        max_logical_replication_workers: 0,
        config_file: ownFile('trial.conf', ''),
        // Whoever can get at the socket is its owner or root.
        hba_file: ownFile('trial-hba.conf', 'local all all trust\n'),
        ident_file: ownFile('trial-ident.conf', ''),
      },
    });
  }

  async #look(
    { server, admin }: ScratchServer,
    saved: readonly InventoryObject[],
    add: (name: VerifyCheck['name'], failures: readonly string[], proven: string) => void,
  ): Promise<void> {
    const { signal } = this.#context;
    const found = await listRelations(server, admin, signal);
    add('inventory', missingObjects(saved, found), `${saved.length} databases and tables are there`);
    const failures: string[] = [];
    let tables = 0;
    for (const { name, isOpen } of await listDatabases(admin)) {
      if (!isOpen) continue;
      try {
        tables += await readTables({ server, name, signal });
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'CANCELLED' || tellsOfNoRoom(error.message)) throw error;
        failures.push(`database "${name}": ${error.message}`);
      }
    }
    add('rows', failures, `every row of ${tables} tables can be read`);
    // A database on a collation that this machine lacks can be opened by nobody here.
    if (failures.length > 0) return;
    const what = ['--all', `--maintenance-db=${server.conninfo(server.settings.maintenanceDatabase)}`];
    const { hasEngineCheck, engineFailure } = await runAmcheck(server, what, signal);
    if (hasEngineCheck) add('engine', engineFailure === null ? [] : [engineFailure], 'pg_amcheck found nothing');
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.close();
    this.#place.remove();
  }
}

/** Counts the rows of every table; answers how many tables there are. */
async function readTables({ server, name, signal }: Looked): Promise<number> {
  const session = await PsqlSession.open(server, name, signal);
  try {
    return (await countRows(session, COUNT_LIMITS)).size;
  } finally {
    await session.close();
  }
}

interface Looked {
  readonly server: ScratchServer['server'];
  readonly name: string;
  readonly signal: AbortSignal;
}
