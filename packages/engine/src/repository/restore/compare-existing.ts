import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfCancelled } from '../../ports/pull-body.ts';
import type { ExistingContent, RestoreFile } from '../../ports/source.ts';
import { hashOf } from '../format/blob-id.ts';

/** Between two looks at the clock and at what else wants to run. */
const BYTES_PER_TURN = 32 * 1024 * 1024;
/** A larger piece is fetched rather than compared. */
const MAX_COMPARED_BYTES = 64 * 1024 * 1024;

export interface ComparedPiece {
  readonly id: Uint8Array;
  readonly position: number;
  readonly length: number;
}

export interface CompareOptions {
  readonly signal: AbortSignal;
  /** True: the outcome is all that is wanted; nothing is written. */
  readonly isDryRun: boolean;
  /** Hears of bytes that are right where they are. */
  onKept(bytes: number): void;
}

export interface Comparison<P> {
  /** The file in the place is what is wanted, and may stay. */
  readonly isWhole: boolean;
  /** Pieces that must come from the repository. */
  readonly missing: readonly P[];
}

/**
 * Finds out which pieces of a file are there already; those that are right but in the wrong file are written. What is
 * copied is verified in the very bytes that are written.
 */
export async function compareExisting<P extends ComparedPiece>(
  file: RestoreFile,
  pieces: readonly P[],
  options: CompareOptions,
): Promise<Comparison<P>> {
  const { existing } = file;
  if (!existing) return { isWhole: false, missing: pieces };
  const reader = new PieceReader(existing, options.signal);
  if (existing.use === 'keep') {
    const isWhole = await isAllRight(reader, pieces);
    if (isWhole) options.onKept(pieces.reduce((sum, { length }) => sum + length, 0));
    if (isWhole || options.isDryRun) return { isWhole, missing: [] };
  }
  const missing: P[] = [];
  for (const piece of pieces) {
    const bytes = await reader.readRight(piece);
    if (!bytes) missing.push(piece);
    else if (existing.use === 'continue') options.onKept(piece.length);
    else file.writeAt(bytes, piece.position);
  }
  return { isWhole: false, missing };
}

async function isAllRight(reader: PieceReader, pieces: readonly ComparedPiece[]): Promise<boolean> {
  for (const piece of pieces) if (!(await reader.readRight(piece))) return false;
  return true;
}

class PieceReader {
  readonly #existing: ExistingContent;
  readonly #signal: AbortSignal;
  #buffer = Buffer.alloc(0);
  #bytesSincePause = 0;

  constructor(existing: ExistingContent, signal: AbortSignal) {
    this.#existing = existing;
    this.#signal = signal;
  }

  /** The bytes of the piece, valid until the next call; null when others are there. */
  async readRight({ id, position, length }: ComparedPiece): Promise<Uint8Array | null> {
    if (length > MAX_COMPARED_BYTES) return null;
    this.#bytesSincePause += length;
    if (this.#bytesSincePause > BYTES_PER_TURN) {
      this.#bytesSincePause = 0;
      await nextTurn();
      throwIfCancelled(this.#signal);
    }
    if (this.#buffer.byteLength < length) this.#buffer = Buffer.allocUnsafeSlow(length);
    const bytes = this.#buffer.subarray(0, length);
    return this.#existing.read(bytes, position) === length && hashOf(bytes).equals(id) ? bytes : null;
  }
}
