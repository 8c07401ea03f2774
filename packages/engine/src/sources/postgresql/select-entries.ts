/**
 * Which entries of a dump belong to the schemas and tables somebody wants: the objects themselves, what hangs on them
 * (rows, indexes, constraints, triggers, privileges, comments) and what they cannot be without (types, functions,
 * sequences, their schema). pg_restore's own `-t` would bring a table without its indexes and constraints.
 */
import type { TocEntry } from './archive-toc.ts';
import { displayName } from './sql-text.ts';

export interface Wanted {
  readonly schemas: readonly string[];
  /** `schema.table`; without a schema: in `public`. */
  readonly tables: readonly string[];
}

export interface Selection {
  /** Dump ids. */
  readonly ids: ReadonlySet<number>;
  /** Wanted names that the dump has not. */
  readonly missing: readonly string[];
  /** What was left out because it needs a table that was not chosen. */
  readonly leftOut: readonly string[];
}

const RELATIONS = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE']);
/** Tables that hold rows of their own; what needs one that was not chosen cannot come. */
const HOLDERS = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE']);
const ATTACHED = new Set([
  ...['TABLE DATA', 'INDEX', 'INDEX ATTACH', 'CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT', 'DEFAULT', 'TRIGGER'],
  ...['RULE', 'POLICY', 'ROW SECURITY', 'SEQUENCE OWNED BY', 'SEQUENCE SET', 'COMMENT', 'ACL', 'STATISTICS'],
  ...['TABLE ATTACH', 'MATERIALIZED VIEW DATA', 'SECURITY LABEL', 'STATISTICS DATA'],
]);
/** Entries of the whole cluster; a restore sees to them itself. */
const NEVER = new Set(['DATABASE', 'DATABASE PROPERTIES']);

/** True when only a part is wanted. */
export function isPartial({ schemas, tables }: Wanted): boolean {
  return schemas.length > 0 || tables.length > 0;
}

export function selectEntries(entries: readonly TocEntry[], wanted: Wanted): Selection {
  const selector = new Selector(entries);
  const missing = [
    ...wanted.schemas.filter((name) => !selector.takeSchema(name)),
    ...wanted.tables.filter((name) => !selector.takeTable(name)),
  ];
  const leftOut = selector.takeAttached();
  return { ids: selector.ids, missing, leftOut };
}

class Selector {
  readonly ids = new Set<number>();
  readonly #entries: readonly TocEntry[];
  readonly #byId: ReadonlyMap<number, TocEntry>;

  constructor(entries: readonly TocEntry[]) {
    this.#entries = entries.filter(({ kind }) => !NEVER.has(kind));
    this.#byId = new Map(this.#entries.map((entry) => [entry.dumpId, entry]));
  }

  takeSchema(name: string): boolean {
    const inside = this.#entries.filter(
      ({ namespace, kind, tag }) => namespace === name || (kind === 'SCHEMA' && tag === name),
    );
    for (const entry of inside) if (!ATTACHED.has(entry.kind)) this.#take(entry);
    return inside.length > 0;
  }

  takeTable(name: string): boolean {
    const found = this.#entries.filter(
      ({ kind, namespace, tag }) =>
        RELATIONS.has(kind) &&
        (`${namespace}.${tag}` === name ||
          displayName(namespace, tag) === name ||
          (namespace === 'public' && tag === name)),
    );
    for (const entry of found) this.#take(entry);
    return found.length > 0;
  }

  /** An object with all it needs. */
  #take(entry: TocEntry): void {
    if (this.ids.has(entry.dumpId)) return;
    this.ids.add(entry.dumpId);
    for (const id of entry.dependencies) {
      const needed = this.#byId.get(id);
      if (needed) this.#take(needed);
    }
  }

  /** Names of what hangs on something chosen and could not come along. */
  takeAttached(): string[] {
    const leftOut = new Map<number, string>();
    for (let size = -1; size !== this.ids.size; ) {
      size = this.ids.size;
      for (const entry of this.#entries) {
        if (this.ids.has(entry.dumpId) || leftOut.has(entry.dumpId) || !this.#isAttached(entry)) continue;
        if (this.#needsUnchosen(entry))
          leftOut.set(entry.dumpId, `${entry.kind.toLowerCase()} ${displayName(entry.namespace, entry.tag)}`);
        else this.#take(entry);
      }
    }
    return [...leftOut.values()];
  }

  #isAttached({ kind, dependencies }: TocEntry): boolean {
    return ATTACHED.has(kind) && dependencies.some((id) => this.ids.has(id));
  }

  /** Followed through constraints and indexes to the tables they are on. */
  #needsUnchosen({ dependencies }: TocEntry, seen = new Set<number>()): boolean {
    return dependencies.some((id) => {
      const needed = this.#byId.get(id);
      if (!needed || this.ids.has(id) || seen.has(id)) return false;
      seen.add(id);
      return HOLDERS.has(needed.kind) || this.#needsUnchosen(needed, seen);
    });
  }
}
