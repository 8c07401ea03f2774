/** What people are asked, and told, when a dump goes to a server of another kind or series. */
import { AppError } from '@backupx/contracts/errors';
import type { VersionDifference } from '@backupx/contracts/jobs';
import type { RestoreContext } from './source.ts';

interface Product {
  readonly name: string;
  readonly numbers: readonly number[];
}

/** Servers as inventories name them: `MariaDB 10.11.19`. */
export interface Versions {
  /** The one that was dumped. */
  readonly saved: string;
  /** The one the dump goes to. */
  readonly target: string;
}

function productOf(text: string): Product | null {
  const match = /^(.+?) (\d+(?:\.\d+)*)/.exec(text);
  return match ? { name: match[1] ?? '', numbers: (match[2] ?? '').split('.').map(Number) } : null;
}

const ONE_NUMBER = new Set(['Redis', 'Valkey']);

/** A series is one number since PostgreSQL 10, and with Redis and Valkey; two with the others. */
function compareSeries({ name, numbers }: Product, other: Product): number {
  const isNewPostgresql = name === 'PostgreSQL' && (numbers[0] ?? 0) >= 10 && (other.numbers[0] ?? 0) >= 10;
  const length = isNewPostgresql || ONE_NUMBER.has(name) ? 1 : 2;
  for (let at = 0; at < length; at += 1) {
    const difference = (numbers[at] ?? 0) - (other.numbers[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** False: nobody knows one of them, so nothing can be said. */
export const areKnown = ({ saved, target }: Versions): boolean =>
  productOf(saved) !== null && productOf(target) !== null;

/** What the target is beside what was saved; null: they are alike, or one of them is unknown. */
export function compareVersions({ saved, target }: Versions): VersionDifference | null {
  const [from, to] = [productOf(saved), productOf(target)];
  if (!from || !to) return null;
  if (from.name !== to.name) return 'other';
  const order = compareSeries(from, to);
  if (order === 0) return null;
  return order > 0 ? 'older' : 'newer';
}

const CONSEQUENCES: Readonly<Record<VersionDifference, string>> = {
  other: ': what only one of them knows may fail or be lost',
  older: ', which is older: what it does not know makes the restore fail',
  newer: ', which is newer: look at what changed between them before programs use it',
};

/** One sentence; null: they are alike, or one of them is unknown. */
export function versionDifference(database: string, versions: Versions): string | null {
  const difference = compareVersions(versions);
  if (difference === null) return null;
  return `"${database}" was dumped from ${versions.saved} and goes to ${versions.target}${CONSEQUENCES[difference]}.`;
}

const CODES = {
  older: 'DATABASE_SERVER_OLDER',
  newer: 'DATABASE_SERVER_NEWER',
  other: 'DATABASE_SERVER_OTHER',
} as const satisfies Record<VersionDifference, string>;

/** What stops a restore whose options do not accept it. */
export function otherVersion(name: string, versions: Versions, difference: VersionDifference): AppError {
  return new AppError(CODES[difference], { name, ...versions });
}

/** The question of one restore, whose answer its options may hold already. */
export class VersionQuestion {
  readonly #target: string;
  readonly #isAccepted: boolean;
  readonly #log: RestoreContext['log'];
  /** A dump says its server, and the inventory beside it, too. */
  readonly #told = new Set<string>();

  /** `target`: name and version of the server it goes to. */
  constructor(target: string, options: { readonly acceptOtherVersion: boolean }, { log }: Pick<RestoreContext, 'log'>) {
    this.#target = target;
    this.#isAccepted = options.acceptOtherVersion;
    this.#log = log;
  }

  /**
   * Throws DATABASE_SERVER_OLDER, _NEWER, _OTHER for a difference that was not accepted; one that was is logged, once.
   * So is that a version is unknown, for which nobody is asked.
   */
  ask(database: string, saved: string): void {
    const versions = { saved, target: this.#target };
    const difference = compareVersions(versions);
    if (difference !== null && !this.#isAccepted) {
      throw otherVersion(`"${database}"`, versions, difference);
    }
    const finding = `${database}\n${difference ?? areKnown(versions)}`;
    if (this.#told.has(finding)) return;
    this.#told.add(finding);
    const sentence = versionDifference(database, versions);
    if (sentence !== null) this.#log('warn', sentence);
    else if (!areKnown(versions)) {
      this.#log('info', `Whether "${database}" was dumped from a server of another version is unknown.`);
    }
  }
}
