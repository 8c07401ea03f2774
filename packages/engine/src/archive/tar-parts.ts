/**
 * Content of unknown size in an archive. A header says the size first, so such a file is written in parts: members
 * `<path>.parts/000001`, `000002`, … of 4 MiB, the last one shorter. Each says in a `comment` record, which other
 * programs pass over, which part it is and whether more follow; our reader makes one file of them again. Without it,
 * `tar -xOf backup.tar '<path>.parts'` prints the whole content.
 */
import type { SourceEntry } from '../ports/source.ts';
import { damagedArchive } from './tar-header-parser.ts';

export const PART_BYTES = 4 * 1024 * 1024;
const SUFFIX = '.parts/';
const DIGITS = 6;
const COMMENT = /^backupx part (\d{1,9}) (more|last)$/;

/** Which part of its file a member is. */
export interface PartMark {
  readonly number: number;
  readonly isLast: boolean;
}

export function partComment({ number, isLast }: PartMark): string {
  return `backupx part ${number} ${isLast ? 'last' : 'more'}`;
}

/** Null: the member is a whole file. */
export function parsePartComment(text: string | null): PartMark | null {
  const match = text === null ? null : COMMENT.exec(text);
  return match ? { number: Number(match[1]), isLast: match[2] === 'last' } : null;
}

const suffixOf = (number: number): Buffer => Buffer.from(SUFFIX + String(number).padStart(DIGITS, '0'), 'latin1');

/** The entry of one part. */
export function partEntry(entry: SourceEntry, number: number): SourceEntry {
  return { ...entry, path: Buffer.concat([entry.path, suffixOf(number)]), content: null };
}

/** Path of the file that a part belongs to. Throws ARTIFACT_DAMAGED for a name that does not fit the number. */
export function pathOfWhole(path: Uint8Array, number: number): Uint8Array {
  const suffix = suffixOf(number);
  const start = path.byteLength - suffix.byteLength;
  if (start <= 0 || suffix.compare(path.subarray(start)) !== 0) {
    throw damagedArchive('a part of a file in the archive has the wrong name');
  }
  return path.subarray(0, start);
}
