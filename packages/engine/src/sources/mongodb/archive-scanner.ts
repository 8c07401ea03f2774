/** Looks at an archive while it passes, or reads it to its end: whether it is whole, and what it holds. */
import {
  type ArchivedCollection,
  ArchiveError,
  type ArchiveHeader,
  type ArchiveInventory,
  type CollectionMetadata,
  namespaceName,
} from './archive-format.ts';
import { readDetails } from './archive-prelude.ts';
import { ArchiveReader, type ArchiveStream } from './archive-reader.ts';
import { formatExtended } from './bson-ordered.ts';

/** `push` every chunk, then `finish`. */
class ArchiveScanner {
  readonly #reader = new ArchiveReader();
  #header: ArchiveHeader | null = null;
  readonly #abouts: CollectionMetadata[] = [];
  readonly #ends = new Map<string, { readonly stream: ArchiveStream; readonly crc: string }>();

  /** Throws ArchiveError. */
  push(chunk: Uint8Array): void {
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === 'header') this.#header = event.header;
      else if (event.kind === 'collection') this.#abouts.push(event.collection);
      else if (event.kind === 'end') this.#ends.set(namespaceName(event.stream.about), event);
    }
  }

  /** Throws ArchiveError when it is not whole. */
  finish(): ArchiveInventory {
    this.#reader.finish();
    return { header: this.#header as ArchiveHeader, collections: this.#abouts.map((about) => this.#summary(about)) };
  }

  #summary(about: CollectionMetadata): ArchivedCollection {
    const end = this.#ends.get(namespaceName(about));
    if (!end) throw new ArchiveError(`the documents of ${namespaceName(about)} are missing`);
    const { uuid, options, indexes } = readDetails(about);
    return {
      db: about.db,
      collection: about.collection,
      type: about.type,
      uuid,
      options: formatExtended(options),
      indexes: indexes.map((index) => String(index.get('name'))),
      documents: end.stream.documents,
      bytes: end.stream.bytes,
      crc: end.crc,
    };
  }
}

/**
 * Passes an archive on while it is looked at. Ends only when it is whole; otherwise throws what `failure` makes of the
 * reason, which follows "It is not whole: ".
 */
export async function* scannedArchive(
  archive: AsyncIterable<Uint8Array>,
  hooks: {
    readonly onInventory: (inventory: ArchiveInventory) => void;
    readonly failure: (reason: string) => Error;
  },
): AsyncGenerator<Uint8Array> {
  const scanner = new ArchiveScanner();
  const check = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw error instanceof ArchiveError ? hooks.failure(error.message) : error;
    }
  };
  for await (const chunk of archive) {
    check(() => scanner.push(chunk));
    yield chunk;
  }
  hooks.onInventory(check(() => scanner.finish()));
}

/** Reads an archive to its end. Throws ArchiveError when it is none, is damaged or is not whole. */
export async function scanArchive(archive: AsyncIterable<Uint8Array>): Promise<ArchiveInventory> {
  const scanner = new ArchiveScanner();
  for await (const chunk of archive) scanner.push(chunk);
  return scanner.finish();
}
