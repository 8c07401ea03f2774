import { parseDisplayPath } from '../../ports/display-path.ts';

/** How a folder lies to the paths that matter. */
export type Relation = 'inside' | 'above' | 'apart';

/**
 * A list of paths, each with everything below it. Paths are compared as raw bytes, one character per byte (latin1),
 * absolute, without slash at the end; `''` is the top of the snapshot.
 */
export class PathSelection {
  readonly #paths: readonly string[];
  readonly #met = new Set<string>();

  /** Display paths as a user gives them. */
  constructor(paths: readonly string[]) {
    this.#paths = paths.map((path) => toBytePath(path));
  }

  /** `inside`: it is a path of the list or lies below one; `above`: a path of the list lies below it. */
  relationOf(path: string): Relation {
    let relation: Relation = 'apart';
    for (const wanted of this.#paths) {
      if (isWithin(path, wanted)) {
        if (path === wanted) this.#met.add(wanted);
        relation = 'inside';
      } else if (relation === 'apart' && isWithin(wanted, path)) relation = 'above';
    }
    return relation;
  }

  /** Paths that `relationOf` was never asked about, as raw bytes. */
  get unmet(): Buffer[] {
    return this.#paths.filter((path) => !this.#met.has(path)).map((path) => Buffer.from(path || '/', 'latin1'));
  }
}

function toBytePath(path: string): string {
  const bytes = parseDisplayPath(path.replace(/\/+$/, ''));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || (path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f);
}
