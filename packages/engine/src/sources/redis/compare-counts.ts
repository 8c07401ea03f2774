import type { RdbSummary } from './rdb-scanner.ts';

/** What a server that loaded a dump has otherwise than the dump, in words, one per database. */
export function compareCounts({ keys }: Pick<RdbSummary, 'keys'>, loaded: ReadonlyMap<number, number>): string[] {
  if (!keys) return [];
  const databases = [...new Set([...keys.keys(), ...loaded.keys()])].sort((a, b) => a - b);
  return databases.flatMap((database) => {
    const [expected, found] = [keys.get(database) ?? 0, loaded.get(database) ?? 0];
    return expected === found ? [] : [`database ${database} has ${found} keys once loaded instead of ${expected}`];
  });
}
