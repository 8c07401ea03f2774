/** The one form of `Range` that restic's client and ours send, and its suffix form. */

/** `first` and `last` are included; `last` null: to the end. `suffixBytes`: so many bytes at the end. */
export type AskedRange = { readonly first: number; readonly last: number | null } | { readonly suffixBytes: number };

/** Part of a file: `start` included, `end` excluded. */
export interface FilePart {
  readonly start: number;
  readonly end: number;
}

const MAX_DIGITS = 15;

/** Null: no range, or one that may be ignored (RFC 9110 lets a server answer the whole file then). */
export function parseRange(header: string | undefined): AskedRange | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first.length > MAX_DIGITS || last.length > MAX_DIGITS || (first === '' && last === '')) return null;
  if (first === '') return { suffixBytes: Number(last) };
  if (last !== '' && Number(last) < Number(first)) return null;
  return { first: Number(first), last: last === '' ? null : Number(last) };
}

/** The part of a file of `sizeBytes` that is meant; null: it has no byte in common with the file (416). */
export function resolveRange(range: AskedRange, sizeBytes: number): FilePart | null {
  const start = 'suffixBytes' in range ? Math.max(0, sizeBytes - range.suffixBytes) : range.first;
  const end = 'suffixBytes' in range || range.last === null ? sizeBytes : Math.min(range.last + 1, sizeBytes);
  return start < end ? { start, end } : null;
}
