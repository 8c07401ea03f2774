/**
 * Databases that only a restore knows: `backupx_restore_…` while it is being filled, `backupx_old_…` for what it has
 * replaced. The name tells which connection made it, so what a killed restore left is known and dropped by the next.
 */
import { AppError } from '@backupx/contracts/errors';
import type { PsqlSession } from './psql-session.ts';
import { quoteName } from './sql-text.ts';

const PATTERN = /^backupx_(?:restore|old)_(\d+)_([0-9a-z]+)_\d+$/;
const DROP_LIMIT_MS = 300_000;
const SINCE_FORCE = 13;

interface Backend {
  readonly pid: number;
  /** Microseconds since 1970; null: may not be known. */
  readonly started: number | null;
}

const STARTED = '(extract(epoch FROM backend_start) * 1000000)::bigint AS started';

/** Names of one restore, all different. */
export class ScratchNames {
  readonly #mark: string;
  #count = 0;

  private constructor(mark: string) {
    this.#mark = mark;
  }

  /** For as long as `session` is open, nobody takes them for leftovers. */
  static async of(session: PsqlSession): Promise<ScratchNames> {
    const query = `SELECT pid, ${STARTED} FROM pg_stat_activity WHERE pid = pg_backend_pid()`;
    const [own] = await session.query<Backend>(query);
    return new ScratchNames(`${own?.pid ?? 0}_${(own?.started ?? 0).toString(36)}`);
  }

  next(kind: 'restore' | 'old'): string {
    this.#count += 1;
    return `backupx_${kind}_${this.#mark}_${this.#count}`;
  }
}

/** Names among `databases` whose restore is gone. */
export function findLeftovers(databases: readonly string[], backends: readonly Backend[]): string[] {
  return databases.filter((name) => {
    const [, pid, started] = PATTERN.exec(name) ?? [];
    if (pid === undefined || started === undefined) return false;
    const backend = backends.find((item) => item.pid === Number(pid));
    return !backend || (backend.started !== null && backend.started !== Number.parseInt(started, 36));
  });
}

/** Drops what killed restores left; what cannot be dropped is told. */
export async function dropLeftovers(session: PsqlSession, open: () => Promise<PsqlSession>): Promise<string[]> {
  const databases = await session.query<{ name: string }>(
    "SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'backupx!_%' ESCAPE '!'",
  );
  const backends = await session.query<Backend>(`SELECT pid, ${STARTED} FROM pg_stat_activity`);
  const names = findLeftovers(
    databases.map(({ name }) => name),
    backends,
  );
  const dropped: string[] = [];
  for (const name of names) if (await tryDrop(open, name)) dropped.push(name);
  return dropped;
}

/** False when it is still there. In a session of its own, since an error ends one. */
export async function tryDrop(open: () => Promise<PsqlSession>, name: string): Promise<boolean> {
  let session: PsqlSession | null = null;
  try {
    session = await open();
    const force = session.facts.major >= SINCE_FORCE ? ' WITH (FORCE)' : '';
    await session.run(`DROP DATABASE IF EXISTS ${quoteName(name)}${force};`, DROP_LIMIT_MS);
    return true;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return false;
  } finally {
    await session?.close();
  }
}
