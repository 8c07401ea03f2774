/** Restores dumps one after the other into scratch databases, looks at each and drops it. */
import { AppError } from '@backupx/contracts/errors';
import type { InventoryObject } from '../../ports/database-inventory.ts';
import type { VerifyContext } from '../../ports/source.ts';
import type { Toc } from './archive-toc.ts';
import { type DumpInput, StagedDump } from './dump-input.ts';
import { placeholderStatement } from './globals.ts';
import { installedPrograms } from './programs.ts';
import { PsqlSession } from './psql-session.ts';
import { findDifferences, restoreDump } from './restore-dump.ts';
import { absentRoles, assertExtensions, leaveOutPolicies, majorOf, rolesOf } from './restore-plan.ts';
import { type EngineCheck, runAmcheck } from './run-amcheck.ts';
import { dropLeftovers, ScratchNames, tryDrop } from './scratch-name.ts';
import { type ScratchServer, serverPrograms, startScratchServer } from './scratch-server.ts';
import { Server } from './server.ts';
import type { PostgresqlConfig, RestoreOptions } from './settings.ts';

/** What was found out about one dump. */
export interface TrialOutcome extends EngineCheck {
  readonly differences: readonly string[];
  readonly rowsCounted: number;
  /** Where it was restored, for people. */
  readonly place: string;
}

interface TrialPlace {
  readonly server: Server;
  readonly admin: PsqlSession;
  readonly names: ScratchNames;
  /** Ours alone: roles may be made there, and go with it. */
  readonly isOwn: boolean;
  readonly major: number;
  close(): Promise<void>;
}

const COUNT_LIMITS = { maxTableBytes: null, budgetMs: 3_600_000 };
const CREATE_LIMIT_MS = 300_000;

/** See above. The place is made for the first dump, since its version decides which server can hold it. */
export class TrialRestore {
  readonly #config: PostgresqlConfig;
  readonly #options: RestoreOptions;
  readonly #context: VerifyContext;
  #place: TrialPlace | null = null;
  #scratch: string | null = null;
  outcome: TrialOutcome = { differences: [], rowsCounted: 0, hasEngineCheck: false, engineFailure: null, place: '' };

  constructor(config: PostgresqlConfig, options: RestoreOptions, context: VerifyContext) {
    this.#config = config;
    this.#options = options;
    this.#context = context;
  }

  /** Where a dump that comes in files is put until it is whole; for the caller to remove. */
  async stage(database: string): Promise<StagedDump> {
    return new StagedDump((await this.#open()).server, database);
  }

  /** Answers what the dump has. Throws DATABASE_*. */
  async run(dump: DumpInput): Promise<readonly InventoryObject[]> {
    const { signal } = this.#context;
    const place = await this.#open();
    const { server, admin } = place;
    const scratch = place.names.next('restore');
    const choice = place.isOwn ? 'keep' : 'ignore';
    const options = { owners: choice, privileges: choice, parallelJobs: 1, singleTransaction: false } as const;
    this.#scratch = scratch;
    try {
      const restored = await restoreDump(dump, {
        ...{ server, admin, scratch, options, signal },
        prepare: (toc) => this.#prepare(place, toc, options),
        create: (statement) => this.#create(place, statement),
        onBytes() {},
      });
      const differences = await findDifferences({ server, signal }, restored, COUNT_LIMITS);
      const rowsCounted = restored.objects.filter(({ rows }) => rows !== undefined).length;
      const check = await this.#runEngineCheck(place, scratch);
      this.outcome = { differences, rowsCounted, ...check, place: `restored into PostgreSQL ${admin.facts.version}` };
      return restored.saved;
    } finally {
      await this.#drop(place);
    }
  }

  async #open(): Promise<TrialPlace> {
    this.#place ??= this.#options.dbHost === '' ? await this.#startOwn() : await this.#connect();
    return this.#place;
  }

  async #startOwn(): Promise<TrialPlace> {
    const { tempDir, signal } = this.#context;
    const installed = await installedPrograms(this.#config.toolFolder, signal);
    // The newest holds dumps of all servers these programs could have dumped.
    const programs = serverPrograms(installed.toReversed(), 0);
    const scratch: ScratchServer = await startScratchServer(programs, { tempDir, signal });
    const names = await ScratchNames.of(scratch.admin);
    return { ...scratch, names, isOwn: true };
  }

  async #connect(): Promise<TrialPlace> {
    const { tempDir, signal } = this.#context;
    const server = await Server.open(this.#options, tempDir, signal);
    try {
      const admin = await PsqlSession.open(server, this.#options.maintenanceDatabase, signal);
      await dropLeftovers(admin, () => this.#openSession(server));
      const close = async () => {
        await admin.close();
        server.close();
      };
      return { server, admin, names: await ScratchNames.of(admin), isOwn: false, major: admin.facts.major, close };
    } catch (error) {
      server.close();
      throw error;
    }
  }

  #openSession(server: Server, signal = this.#context.signal): Promise<PsqlSession> {
    return PsqlSession.open(server, server.settings.maintenanceDatabase, signal);
  }

  async #prepare(
    place: TrialPlace,
    toc: Toc,
    choices: Pick<RestoreOptions, 'owners' | 'privileges'>,
  ): Promise<ReadonlySet<number> | null> {
    const { server, admin } = place;
    if (majorOf(toc.serverVersion) > place.major) {
      const serverMajor = majorOf(toc.serverVersion);
      throw new AppError('DATABASE_TOOL_MISSING', { tool: 'postgres', package: `postgresql-${serverMajor}` });
    }
    await assertExtensions(admin, toc, { label: server.label, ids: null });
    if (!place.isOwn) return (await leaveOutPolicies(admin, toc, null)).ids;
    for (const role of await absentRoles(admin, rolesOf(toc, choices, null)))
      await admin.run(placeholderStatement(role));
    return null;
  }

  /** A locale that only the other machine has proves nothing against the dump. */
  async #create({ server }: TrialPlace, statement: string): Promise<void> {
    const attempt = async (sql: string) => {
      const session = await this.#openSession(server);
      await session.run(sql, CREATE_LIMIT_MS).finally(() => session.close());
    };
    try {
      await attempt(statement);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'DATABASE_TOOL_FAILED') throw error;
      this.#context.log('info', `Restoring with the collation C: ${error.message}`);
      const [head = ''] = / ENCODING = '[^']*'/.exec(statement) ?? [];
      const target = statement.slice(0, statement.indexOf(' WITH '));
      await attempt(`${target} WITH TEMPLATE = template0${head} LC_COLLATE = 'C' LC_CTYPE = 'C';`);
    }
  }

  async #runEngineCheck({ server, isOwn }: TrialPlace, scratch: string): Promise<EngineCheck> {
    // Elsewhere it would install an extension.
    if (!isOwn) return { hasEngineCheck: false, engineFailure: null };
    return await runAmcheck(server, [server.conninfo(scratch)], this.#context.signal);
  }

  async #drop({ server }: TrialPlace): Promise<void> {
    const name = this.#scratch;
    this.#scratch = null;
    if (name === null) return;
    const signal = AbortSignal.timeout(CREATE_LIMIT_MS);
    if (await tryDrop(() => this.#openSession(server, signal), name)) return;
    this.#context.log('warn', `Database "${name}" could not be dropped; the next restore tries again.`);
  }

  async close(): Promise<void> {
    const place = this.#place;
    this.#place = null;
    await place?.close();
  }
}
