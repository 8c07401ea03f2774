/** The list of files that a server makes with a base backup, with the checksum of each and the WAL it needs. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MANIFEST, WAL_FOLDER } from './entry-paths.ts';
import type { FileSums } from './file-sums.ts';

const fileSchema = z.object({
  Path: z.string().optional(),
  /** Hexadecimal, for a name that is not UTF-8. */
  'Encoded-Path': z.string().optional(),
  Size: z.number(),
  'Checksum-Algorithm': z.string().optional(),
  Checksum: z.string().optional(),
});
const lsnSchema = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i);
const rangeSchema = z.object({ Timeline: z.number().int(), 'Start-LSN': lsnSchema, 'End-LSN': lsnSchema });
const manifestSchema = z.object({ Files: z.array(fileSchema), 'WAL-Ranges': z.array(rangeSchema).min(1) });

export interface ManifestFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** A stretch of WAL; `end` is the first position behind it. */
export interface WalRange {
  readonly timeline: number;
  readonly start: bigint;
  readonly end: bigint;
}

export interface BackupManifest {
  /** By their path below the data directory, bytes as latin1 text. */
  readonly files: ReadonlyMap<string, ManifestFile>;
  readonly ranges: readonly WalRange[];
}

const CHECKSUM_LINE = /\n"Manifest-Checksum": "([0-9a-f]{64})"\}\n*$/;
const MAX_TOLD = 5;

/** Throws an Error that says what is wrong with it. */
export function parseManifest(text: string): BackupManifest {
  const line = CHECKSUM_LINE.exec(text);
  if (!line) throw new Error('its list of files (backup_manifest) is not complete');
  const sum = createHash('sha256').update(text.slice(0, line.index + 1));
  if (sum.digest('hex') !== line[1]) throw new Error('its list of files (backup_manifest) has a wrong checksum');
  const parsed = manifestSchema.parse(JSON.parse(text));
  const files = parsed.Files.map((file): [string, ManifestFile] => {
    const bytes = Buffer.from(file['Encoded-Path'] ?? file.Path ?? '', file['Encoded-Path'] ? 'hex' : 'utf8');
    const sha256 = file['Checksum-Algorithm'] === 'SHA256' ? (file.Checksum ?? '') : '';
    return [bytes.toString('latin1'), { sizeBytes: file.Size, sha256 }];
  });
  const ranges = parsed['WAL-Ranges'].map((range) => ({
    timeline: range.Timeline,
    start: parseLsn(range['Start-LSN']),
    end: parseLsn(range['End-LSN']),
  }));
  return { files: new Map(files), ranges };
}

/** `16/B374D848` as a number. */
export function parseLsn(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** Up to where the WAL of the backup must be replayed before it is consistent. */
export function endOf({ ranges }: BackupManifest): bigint {
  return ranges.reduce((end, range) => (range.end > end ? range.end : end), 0n);
}

/** What of the files is not as the manifest says, in words; empty: all of them are there, whole and no others. */
export function findDamage(manifest: BackupManifest, sums: FileSums): string[] {
  const differences: string[] = [];
  for (const [path, wanted] of manifest.files) {
    // Of the WAL only its marks for the archiver are listed.
    if (path.startsWith(`${WAL_FOLDER}/`)) continue;
    const found = sums.get(path);
    if (!found) differences.push(`${show(path)} is missing`);
    else if (found.sizeBytes !== wanted.sizeBytes)
      differences.push(`${show(path)} has ${found.sizeBytes} bytes instead of ${wanted.sizeBytes}`);
    else if (found.sha256 !== wanted.sha256) differences.push(`${show(path)} has another checksum`);
  }
  for (const path of sums.paths()) {
    const isListed = manifest.files.has(path) || path.startsWith(`${WAL_FOLDER}/`) || path === MANIFEST;
    if (!isListed) differences.push(`${show(path)} is not in the list of files`);
  }
  return [...differences, ...missingWal(manifest, sums)];
}

/** `a; b; and 3 more` */
export function listDifferences(differences: readonly string[]): string {
  const more = differences.length > MAX_TOLD ? [`and ${differences.length - MAX_TOLD} more`] : [];
  return [...differences.slice(0, MAX_TOLD), ...more].join('; ');
}

/** Without the WAL from its begin to its end a backup is a heap of pages of different moments. */
function missingWal({ ranges }: BackupManifest, sums: FileSums): string[] {
  const segments = sums.walSegments();
  const [first] = segments;
  if (!first) return ['there is no WAL in it'];
  const size = BigInt(first.sizeBytes);
  const odd = segments.find(({ sizeBytes }) => sizeBytes !== first.sizeBytes);
  if (odd) return [`${odd.name} in the WAL has ${odd.sizeBytes} bytes instead of ${first.sizeBytes}`];
  if (size < 1024n * 1024n || (size & (size - 1n)) !== 0n) return [`${first.name} in the WAL has ${size} bytes`];
  const perLog = 0x1_0000_0000n / size;
  const present = new Set(
    segments.map(({ name }) => BigInt(`0x${name.slice(8, 16)}`) * perLog + BigInt(`0x${name.slice(16)}`)),
  );
  const missing: string[] = [];
  for (const { start, end } of ranges) {
    for (let segment = start / size; segment <= (end > start ? end - 1n : end) / size; segment += 1n) {
      if (!present.has(segment)) missing.push(`the WAL from ${formatLsn(segment * size)} on is missing`);
    }
  }
  return missing;
}

const show = (path: string): string => Buffer.from(path, 'latin1').toString('utf8');
