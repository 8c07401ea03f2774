import { closeSync, constants, fstatSync, openSync, readdirSync, renameSync } from 'node:fs';
import { isMarkAlive } from '../../ports/process-mark.ts';
import { type BytePath, toBytes } from './byte-paths.ts';
import type { FolderChain } from './folder-chain.ts';
import type { FolderPlace } from './restore-places.ts';
import { lstatIfThere, removeIfThere } from './write-item.ts';

/** Digests of places have this length; other temporary names hold nothing worth keeping. */
const DIGEST_LENGTH = 20;
/** What follows the prefix in a name that a restore gave: the mark of its thread, then a digest or a number. */
const GIVEN = /^(\d+\.\d+)-([0-9a-f]+)$/;
const OPEN_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const ownUid = process.getuid?.() ?? -1;

interface Leftover {
  readonly base: number;
  readonly folder: readonly BytePath[];
  readonly name: BytePath;
}

/**
 * What killed restores left under temporary names. A file made of pieces may go on where it was; everything else is
 * removed, at the latest at the end.
 */
export class Leftovers {
  readonly #prefix: string;
  readonly #mayContinue: boolean;
  readonly #found = new Map<string, Leftover>();

  constructor(prefix: string, mayContinue: boolean) {
    this.#prefix = prefix;
    this.#mayContinue = mayContinue;
  }

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  /**
   * Looks through the folder the chain stands in. What a living thread uses is left alone, and so are folders, which
   * other sources leave, and names that nobody gave.
   */
  collect(chain: FolderChain, { base, names }: FolderPlace): void {
    for (const name of readdirSync(chain.pathOf('.'), { encoding: 'latin1' })) {
      if (!name.startsWith(this.#prefix)) continue;
      const [, mark = '', digest = ''] = GIVEN.exec(name.slice(this.#prefix.length)) ?? [];
      if (mark === '' || isMarkAlive(mark) || isFolder(chain, name)) continue;
      if (this.#mayContinue && digest.length === DIGEST_LENGTH && !this.#found.has(digest)) {
        this.#found.set(digest, { base, folder: names, name });
      } else removeIfThere(chain.pathOf(name));
    }
  }

  /**
   * Takes over what was left of the file with this digest, in the folder the chain stands in: it gets the name
   * `newName` and is answered open. Null when there is nothing, or nothing that can be trusted: somebody else's file
   * would stay within his reach.
   */
  take(digest: string, chain: FolderChain, newName: BytePath): number | null {
    const found = this.#found.get(digest);
    if (!found) return null;
    this.#found.delete(digest);
    try {
      renameSync(chain.pathOf(found.name), chain.pathOf(newName));
      const descriptor = openSync(chain.pathOf(newName), OPEN_FLAGS);
      if (isOurs(descriptor)) return descriptor;
      closeSync(descriptor);
      removeIfThere(chain.pathOf(newName));
    } catch {
      // Gone, or in another folder: then the file begins anew.
    }
    return null;
  }

  /** Removes what nobody took. */
  removeRest(chains: readonly FolderChain[]): void {
    for (const { base, folder, name } of this.#found.values()) {
      try {
        const chain = chains[base];
        chain?.enter(folder);
        if (chain) removeIfThere(toBytes(chain.textPathOf(name)));
      } catch {
        // The next restore looks again.
      }
    }
    this.#found.clear();
  }
}

function isFolder(chain: FolderChain, name: BytePath): boolean {
  return lstatIfThere(chain.pathOf(name))?.isDirectory() === true;
}

/** Made by this user, never open to others, under one name only. */
function isOurs(descriptor: number): boolean {
  const stats = fstatSync(descriptor);
  return stats.isFile() && stats.nlink === 1 && stats.uid === ownUid && (stats.mode & 0o077) === 0;
}
