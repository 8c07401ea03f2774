/**
 * Roles that a dump names and the server lacks. They are either listed, before anything is made, or created: first by
 * name only, since globals.sql may come after the dump; then with what that file says of them. Until the restore is done
 * a comment tells what they are, and whose: after a restore that was killed, or beside one that runs, the next one takes
 * them for its own. One that fails drops only what still is its own.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { RestoreContext } from '../../ports/source.ts';
import { placeholderStatement, rolesInGlobals, statementsFor } from './globals.ts';
import type { PsqlSession } from './psql-session.ts';
import { absentRoles } from './restore-plan.ts';
import { quoteLiteral, quoteName } from './sql-text.ts';

/** Comment on a role that has nothing but its name yet. */
const UNFINISHED = 'BackupX: made for a restore, without its password';

const commentStatement = (role: string, text: string | null): string =>
  `COMMENT ON ROLE ${quoteName(role)} IS ${text === null ? 'NULL' : quoteLiteral(text)};`;

const COMMENT = "shobj_description(oid, 'pg_authid')";
const hasComment = (start: string): string => `${COMMENT} LIKE ${quoteLiteral(`${start}%`)}`;
const IS_UNFINISHED = hasComment(UNFINISHED);
const LOCK = "hashtext('backupx roles of restores')";

/** One restore after the other: none changes a role between a look at it and what follows from that. */
function locked(body: string): string {
  return `DO ${quoteLiteral(`BEGIN PERFORM pg_advisory_xact_lock(${LOCK}); ${body} END`)};`;
}

const exists = (role: string, condition: string): string =>
  `EXISTS (SELECT FROM pg_roles WHERE rolname = ${quoteLiteral(role)} AND ${condition})`;

/** Does that to a role of which the condition is true. */
const statementIf = (role: string, condition: string, statement: string): string =>
  locked(`IF ${exists(role, condition)} THEN ${statement} END IF;`);

async function rolesWhere(session: PsqlSession, condition: string, roles: readonly string[]): Promise<string[]> {
  if (roles.length === 0) return [];
  const rows = await session.query<{ name: string }>(
    `SELECT rolname::text AS name FROM pg_roles WHERE rolname IN (${roles.map(quoteLiteral).join(', ')})
     AND ${condition}`,
  );
  return rows.map(({ name }) => name);
}

/**
 * See above. Sessions come from `open`, all in one database of the server whatever the restore (see `openAgreedSession`):
 * locks are per database. Each is closed after use.
 */
export class RestoreRoles {
  readonly #context: RestoreContext;
  readonly #open: () => Promise<PsqlSession>;
  readonly #made = new Set<string>();
  readonly #name = `${UNFINISHED} (${randomBytes(6).toString('hex')}`;
  readonly #mark = `${this.#name})`;
  /** Of those that another restore made; somebody may have come to use them since. */
  readonly #adoptedMark = `${this.#name}, made by another)`;
  #globals: string | null = null;

  constructor(context: RestoreContext, open: () => Promise<PsqlSession>) {
    this.#context = context;
    this.#open = open;
  }

  setGlobals(sql: string): void {
    this.#globals = sql;
  }

  get #mayCreate(): boolean {
    return this.#context.options.restoreGlobals === true;
  }

  /** Throws DATABASE_NOT_FOUND with all that are missing, unless they may be created. */
  async prepare(
    admin: PsqlSession,
    roles: readonly string[],
    about: { server: string; database: string },
  ): Promise<void> {
    if (this.#mayCreate) return await this.#take(admin, roles);
    const absent = await absentRoles(admin, roles);
    if (absent.length === 0) return;
    const names = absent.map((name) => `"${name}"`).join(', ');
    const what = `role ${names}, which owns something in "${about.database}" or has privileges there; create it, let the restore create missing roles, or ignore owners and privileges:`;
    throw new AppError('DATABASE_NOT_FOUND', { name: what, server: about.server });
  }

  /** Makes those that are absent, and takes over what others made that were killed, or still run: those must not drop it any more. */
  async #take(session: PsqlSession, roles: readonly string[]): Promise<void> {
    const isOthers = `${IS_UNFINISHED} AND NOT ${hasComment(this.#name)}`;
    try {
      for (const role of await rolesWhere(session, isOthers, roles)) {
        await this.#try(this.#takeStatement(role, isOthers), `COMMENT ON ROLE ${role}`);
      }
      await this.#run((await absentRoles(session, roles)).map((role) => this.#takeStatement(role, isOthers)));
    } finally {
      for (const role of await rolesWhere(session, hasComment(this.#name), roles)) this.#made.add(role);
    }
  }

  /** Whichever of both it is by then: another restore may have made or dropped it since it was looked for. */
  #takeStatement(role: string, isOthers: string): string {
    const make = `${placeholderStatement(role)} ${commentStatement(role, this.#mark)}`;
    const adopt = commentStatement(role, this.#adoptedMark);
    return locked(`IF NOT ${exists(role, 'true')} THEN ${make} ELSIF ${exists(role, isOthers)} THEN ${adopt} END IF;`);
  }

  async #run(statements: readonly string[]): Promise<void> {
    if (statements.length === 0) return;
    const session = await this.#open();
    try {
      for (const statement of statements) await session.run(statement);
    } finally {
      await session.close();
    }
  }

  /** Passwords, attributes and memberships of the roles that are new; what cannot be set is a problem. */
  async applyGlobals(): Promise<void> {
    if (!this.#mayCreate) return;
    if (this.#globals === null) {
      for (const role of this.#made)
        this.#problem(role, 'was created without its password: globals.sql was not restored');
      return;
    }
    const session = await this.#open();
    try {
      await this.#take(session, rolesInGlobals(this.#globals));
    } finally {
      await session.close();
    }
    for (const statement of statementsFor(this.#globals, this.#made))
      await this.#try(`${statement};`, statement.split(/\s+/).slice(0, 3).join(' '));
    if (this.#made.size > 0) this.#context.log('info', `Created roles: ${[...this.#made].join(', ')}.`);
  }

  /** The restore is done: from here on they are those of whoever uses them. */
  async finish(): Promise<void> {
    if (this.#made.size === 0) return;
    try {
      const session = await this.#open();
      try {
        for (const role of await rolesWhere(session, IS_UNFINISHED, [...this.#made]))
          await session.run(statementIf(role, IS_UNFINISHED, commentStatement(role, null)));
      } finally {
        await session.close();
      }
    } catch (error) {
      const message = `Roles keep a comment of BackupX (${[...this.#made].join(', ')}): ${String(error)}`;
      this.#context.log('warn', message);
    }
  }

  async #try(statement: string, name: string): Promise<void> {
    try {
      await this.#run([statement]);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'CANCELLED') throw error;
      // Without the password that may be in it.
      this.#problem(name, error.message.replace(/PASSWORD.*/s, '…'));
    }
  }

  #problem(path: string, message: string): void {
    this.#context.problem({ path, code: 'metadata', message });
  }

  /** Drops the roles made here; not those of another restore, nor those another one has come to use. */
  async rollback(open: () => Promise<PsqlSession>): Promise<void> {
    for (const role of this.#made) {
      try {
        const session = await open();
        const drop = statementIf(role, `${COMMENT} = ${quoteLiteral(this.#mark)}`, `DROP ROLE ${quoteName(role)};`);
        await session.run(drop).finally(() => session.close());
      } catch (error) {
        this.#context.log('warn', `Role "${role}" could not be dropped again: ${String(error)}`);
      }
    }
  }
}
