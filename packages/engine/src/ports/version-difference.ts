/** What people should know when a dump goes to a server of another kind or series. */
import type { RestoreContext } from './source.ts';

interface Product {
  readonly name: string;
  readonly numbers: readonly number[];
}

/** `MariaDB 10.11.19`, as inventories and servers are named. */
function productOf(text: string): Product | null {
  const match = /^(.+?) (\d+(?:\.\d+)*)/.exec(text);
  return match ? { name: match[1] ?? '', numbers: (match[2] ?? '').split('.').map(Number) } : null;
}

/** A series is one number since PostgreSQL 10, two with the others. */
function compareSeries({ name, numbers }: Product, other: Product): number {
  const length = name === 'PostgreSQL' && (numbers[0] ?? 0) >= 10 && (other.numbers[0] ?? 0) >= 10 ? 1 : 2;
  for (let at = 0; at < length; at += 1) {
    const difference = (numbers[at] ?? 0) - (other.numbers[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** One sentence; null: they are alike, or one of them is unknown. */
export function versionDifference(
  database: string,
  { saved, target }: { saved: string; target: string },
): string | null {
  const [from, to] = [productOf(saved), productOf(target)];
  if (!from || !to) return null;
  const moved = `"${database}" was dumped from ${saved} and goes to ${target}`;
  if (from.name !== to.name) return `${moved}: what only one of them knows may fail or be lost.`;
  const order = compareSeries(from, to);
  if (order === 0) return null;
  return order > 0
    ? `${moved}, which is older: what it does not know makes the restore fail.`
    : `${moved}, which is newer: look at what changed between them before programs use it.`;
}

/** Logs it: the restore goes on, since it proves what it makes before it replaces anything. */
export function tellVersions(
  database: string,
  versions: { readonly saved: string; readonly target: string },
  { log }: Pick<RestoreContext, 'log'>,
): void {
  const difference = versionDifference(database, versions);
  if (difference !== null) log('warn', difference);
}
