/** Names of binary logs: `bin.000041`, a base and a number that rises by one with every new file. */

export interface BinlogName {
  readonly base: string;
  readonly number: number;
}

/** Null for what is none. Only names that every storage takes. */
export function parseBinlogName(name: string): BinlogName | null {
  const match = /^([A-Za-z0-9_-][A-Za-z0-9._-]*)\.(\d{6,10})$/.exec(name);
  return match ? { base: match[1] ?? '', number: Number(match[2]) } : null;
}

/** The number of a name that was checked before. */
export const numberOf = (name: string): number => parseBinlogName(name)?.number ?? 0;

/** The name with another number. */
export function nameWith(name: string, number: number): string {
  return name.replace(/\d+$/, String(number).padStart(6, '0'));
}

/** Order of time. */
export const byNumber = (a: { readonly name: string }, b: { readonly name: string }): number =>
  numberOf(a.name) - numberOf(b.name);
