/**
 * restic's content-defined chunking (restic/chunker: Rabin fingerprints over 64 bytes, modulo the repository's own
 * polynomial), bit-exact, in WebAssembly.
 */
import { chunkerRelaxedCode } from './chunker-relaxed-code.ts';
import { chunkerScalarCode } from './chunker-scalar-code.ts';
import { chunkerSimdCode } from './chunker-simd-code.ts';
import { writeChunkerTables } from './chunker-tables.ts';
import { createSharedMemory, instantiateModule, isValidModule } from './instantiate-module.ts';

/** Only a content's last chunk may be shorter. */
export const MIN_CHUNK = 524_288;
export const MAX_CHUNK = 8_388_608;
/** The chunker's own part at the beginning of its memory; the caller's begins here. */
export const CHUNKER_RESERVED_BYTES = 65_536;

export interface Chunker {
  /** The whole memory, on a SharedArrayBuffer: contents are read straight into it. */
  readonly memory: Uint8Array;
  /**
   * Length of the chunk that begins at `start` of the memory, with `have` bytes there; 0 when its end is not among
   * them, so that more are needed (or the content ends). Nothing is kept between calls: the caller says with
   * `scannedTo` up to which length earlier calls found no end. At MAX_CHUNK bytes there always is one.
   */
  findCut(start: number, have: number, scannedTo: number): number;
}

/** The same function for processors and runtimes of different powers, fastest first. */
const codes = { relaxed: chunkerRelaxedCode, simd: chunkerSimdCode, scalar: chunkerScalarCode } as const;

export type ChunkerVariant = keyof typeof codes;

/** Those that run here, fastest first. */
export function listChunkerVariants(): ChunkerVariant[] {
  return (Object.keys(codes) as ChunkerVariant[]).filter((variant) => isValidModule(codes[variant]));
}

export interface ChunkerOptions {
  /** Irreducible, of degree 53, as in the repository's configuration. */
  readonly polynomial: bigint;
  /** Including CHUNKER_RESERVED_BYTES; below 2 GiB. */
  readonly memoryBytes: number;
  /** Default: the fastest that runs here. */
  readonly variant?: ChunkerVariant;
}

/** For one thread: calls must not overlap, although other threads may read the memory meanwhile. */
export function createChunker({ polynomial, memoryBytes, variant }: ChunkerOptions): Chunker {
  if (polynomial >> 53n !== 1n) throw new RangeError('the polynomial must have degree 53');
  const memory = createSharedMemory(memoryBytes);
  let findCut: Chunker['findCut'] | null = null;
  const prepare = () => {
    writeChunkerTables(memory.buffer, polynomial);
    const code = codes[variant ?? listChunkerVariants()[0] ?? 'scalar'];
    return instantiateModule<Pick<Chunker, 'findCut'>>(code, { env: { memory } }).findCut;
  };
  return {
    memory: new Uint8Array(memory.buffer),
    // Prepared when it is called first: a backup without long new files never does.
    findCut(start, have, scannedTo) {
      findCut ??= prepare();
      return findCut(start, have, scannedTo);
    },
  };
}
