/**
 * Reads an archive of mongodump as its bytes come, cut anywhere, in bounded memory. Knows that it is whole: the format
 * has no end mark, but its contents tell of every namespace, and each of them ends with a checksum.
 */
import { CRC64_ECMA, Crc64 } from '../../ports/crc64.ts';
import {
  ArchiveError,
  type ArchiveHeader,
  BUCKETS_PREFIX,
  type CollectionMetadata,
  MAGIC,
  MAX_DOCUMENT_BYTES,
  MIN_DOCUMENT_BYTES,
  type Namespace,
  namespaceName,
  TERMINATOR,
} from './archive-format.ts';
import { readBlockHead, readCollection, readHeader } from './archive-prelude.ts';

/** What of an archive belongs to one collection. */
export interface ArchiveStream extends Namespace {
  readonly about: CollectionMetadata;
  readonly documents: number;
  readonly bytes: number;
}

export type ArchiveEvent =
  | { readonly kind: 'header'; readonly header: ArchiveHeader }
  | { readonly kind: 'collection'; readonly collection: CollectionMetadata }
  /** All collections are known now. */
  | { readonly kind: 'contents' }
  /** A document with its length and end, to be copied by who keeps it. */
  | { readonly kind: 'document'; readonly stream: ArchiveStream; readonly bytes: Buffer }
  /** All of its documents have come, and their checksum is right. */
  | { readonly kind: 'end'; readonly stream: ArchiveStream; readonly crc: string };

class OpenStream implements ArchiveStream {
  readonly about: CollectionMetadata;
  /** Of a time series that of its buckets, in archives of most servers. */
  collection: string;
  state: 'awaited' | 'open' | 'ended' = 'awaited';
  documents = 0;
  bytes = 0;
  readonly crc = new Crc64(CRC64_ECMA);

  constructor(about: CollectionMetadata) {
    this.about = about;
    this.collection = about.collection;
  }

  get db(): string {
    return this.about.db;
  }
}

type State = 'magic' | 'header' | 'contents' | 'between' | 'documents' | 'ended';

/** See above. `push` every chunk and look at all events of one before the next; then `finish`. */
export class ArchiveReader {
  readonly #streams = new Map<string, OpenStream>();
  #state: State = 'magic';
  #current: OpenStream | null = null;
  /** What has come of an item that is not whole, and its size once that is known. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wantedBytes = 4;

  /** Throws ArchiveError. */
  *push(chunk: Uint8Array): Generator<ArchiveEvent, void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (this.#heldBytes > 0 && at < bytes.byteLength) {
      at += this.#hold(bytes.subarray(at, at + this.#wantedBytes - this.#heldBytes));
      const item = this.#takeHeld();
      const event = item && this.#accept(item);
      if (event) yield event;
    }
    while (at + 4 <= bytes.byteLength) {
      const size = this.#sizeOf(bytes.readUInt32LE(at));
      if (at + size > bytes.byteLength) {
        this.#wantedBytes = size;
        break;
      }
      const event = this.#accept(bytes.subarray(at, at + size));
      at += size;
      if (event) yield event;
    }
    if (at < bytes.byteLength) this.#hold(bytes.subarray(at));
  }

  /** To be called after the last byte. Throws ArchiveError for an archive that is not whole. */
  finish(): void {
    if (this.#state === 'magic') throw new ArchiveError(this.#heldBytes > 0 ? 'it is cut off' : 'it is empty');
    if (this.#state === 'header' || this.#state === 'contents') throw new ArchiveError('it ends within its contents');
    if (this.#state !== 'between' || this.#heldBytes > 0) throw new ArchiveError(`it ends within ${this.#place()}`);
    for (const stream of this.#streams.values()) {
      if (stream.state === 'ended') continue;
      const where = namespaceName(stream.about);
      throw new ArchiveError(`it ends ${stream.state === 'open' ? 'within' : 'before'} the documents of ${where}`);
    }
  }

  #place(): string {
    return this.#current ? `the documents of ${namespaceName(this.#current.about)}` : 'the head of a block';
  }

  #hold(part: Buffer): number {
    // A copy: who owns the chunk may use its memory again.
    if (part.byteLength > 0) this.#held.push(Buffer.from(part));
    this.#heldBytes += part.byteLength;
    return part.byteLength;
  }

  /** The item that is held, once it is whole. */
  #takeHeld(): Buffer | null {
    if (this.#heldBytes < this.#wantedBytes) return null;
    const item = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held, this.#heldBytes);
    this.#held = [item];
    this.#wantedBytes = this.#sizeOf(item.readUInt32LE(0));
    if (this.#heldBytes < this.#wantedBytes) return null;
    this.#held = [];
    this.#heldBytes = 0;
    this.#wantedBytes = 4;
    return item;
  }

  /** Of the item that begins with these four bytes. */
  #sizeOf(word: number): number {
    if (this.#state === 'magic') {
      if (word !== MAGIC) throw new ArchiveError('it is no archive of mongodump, or a compressed one');
      return 4;
    }
    if (word === TERMINATOR) return 4;
    if (word >= MIN_DOCUMENT_BYTES && word <= MAX_DOCUMENT_BYTES) return word;
    const place = this.#state === 'header' || this.#state === 'contents' ? 'its contents' : this.#place();
    throw new ArchiveError(`in ${place} something is neither a document nor an end`);
  }

  #accept(item: Buffer): ArchiveEvent | null {
    if (this.#state === 'magic') {
      this.#state = 'header';
      return null;
    }
    if (item.byteLength === 4) return this.#acceptTerminator();
    if (item[item.byteLength - 1] !== 0) throw new ArchiveError(`a document without its end in ${this.#place()}`);
    switch (this.#state) {
      case 'documents':
        return this.#acceptDocument(item);
      case 'between':
        return this.#acceptHead(item);
      case 'contents':
        return this.#acceptCollection(item);
      case 'header':
        this.#state = 'contents';
        return { kind: 'header', header: readHeader(item) };
      case 'ended':
        throw new ArchiveError('it has documents behind the end of a namespace');
    }
  }

  #acceptTerminator(): ArchiveEvent | null {
    if (this.#state === 'header' || this.#state === 'between')
      throw new ArchiveError('it has an end without a beginning');
    const isContents = this.#state === 'contents';
    this.#state = 'between';
    this.#current = null;
    return isContents ? { kind: 'contents' } : null;
  }

  #acceptCollection(item: Buffer): ArchiveEvent {
    const collection = readCollection(item);
    const name = namespaceName(collection);
    if (this.#streams.has(name)) throw new ArchiveError(`it tells of ${name} twice`);
    this.#streams.set(name, new OpenStream(collection));
    return { kind: 'collection', collection };
  }

  #acceptHead(item: Buffer): ArchiveEvent | null {
    const head = readBlockHead(item);
    const stream = this.#streamOf(head);
    if (stream.state === 'ended') throw new ArchiveError(`${namespaceName(head)} ends twice`);
    stream.state = 'open';
    this.#current = stream;
    if (!head.isEnd) {
      this.#state = 'documents';
      return null;
    }
    this.#state = 'ended';
    stream.state = 'ended';
    const crc = Buffer.from(stream.crc.digest());
    if (!crc.equals(head.crc))
      throw new ArchiveError(`the checksum of the documents of ${namespaceName(head)} is wrong`);
    return { kind: 'end', stream, crc: crc.reverse().toString('hex') };
  }

  /** Documents of a time series come under its own name since servers of version 8.3, before under that of its buckets. */
  #streamOf(head: Namespace): OpenStream {
    const name = head.collection.startsWith(BUCKETS_PREFIX) ? head.collection.slice(BUCKETS_PREFIX.length) : null;
    const series = name === null ? undefined : this.#streams.get(namespaceName({ db: head.db, collection: name }));
    const stream = series?.about.type === 'timeseries' ? series : this.#streams.get(namespaceName(head));
    const isOther = stream?.state === 'open' && stream.collection !== head.collection;
    if (!stream || isOther) {
      throw new ArchiveError(`it has documents of ${namespaceName(head)}, of which its contents do not tell`);
    }
    stream.collection = head.collection;
    return stream;
  }

  #acceptDocument(item: Buffer): ArchiveEvent {
    const stream = this.#current as OpenStream;
    if (stream.about.type === 'view') throw new ArchiveError(`the view ${namespaceName(stream.about)} has documents`);
    stream.documents += 1;
    stream.bytes += item.byteLength;
    stream.crc.update(item);
    return { kind: 'document', stream, bytes: item };
  }
}
