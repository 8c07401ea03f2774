import { nameWith, numberOf } from './binlog-names.ts';

/** Logs that are missing, both ends included. */
export interface LogGap {
  readonly first: string;
  readonly last: string;
}

/** Gaps between logs, which come in order. */
export function findLogGaps(logs: readonly { readonly name: string }[]): LogGap[] {
  return logs.flatMap(({ name }, index) => {
    const next = logs[index + 1];
    if (!next || numberOf(next.name) === numberOf(name) + 1) return [];
    return [{ first: nameWith(name, numberOf(name) + 1), last: nameWith(next.name, numberOf(next.name) - 1) }];
  });
}

/** `bin.000002`, or `bin.000002 to bin.000004`. */
export function describeGap({ first, last }: LogGap): string {
  return first === last ? first : `${first} to ${last}`;
}
