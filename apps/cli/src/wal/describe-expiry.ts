import { formatBytes } from '../output/format.ts';

export interface ExpiryWords {
  readonly names: readonly string[];
  /** How many: `3 files`. */
  readonly what: string;
  readonly sizeBytes: number;
  readonly isDeleted: boolean;
  readonly keptFrom: string;
}

/** What went or would go from an archive of logs. */
export function describeExpiry({ names, what, sizeBytes, isDeleted, keptFrom }: ExpiryWords): string {
  if (names.length === 0) return `Nothing is to go. The log is kept from ${keptFrom} on.`;
  const end = isDeleted ? 'deleted' : 'would be deleted; add --delete';
  return [...names, `${what}, ${formatBytes(sizeBytes)}: ${end}. The log is kept from ${keptFrom} on.`].join('\n');
}
