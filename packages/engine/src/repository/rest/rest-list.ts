/** The listing of a REST server, read as it streams: a repository may have millions of packs. */
import type http from 'node:http';
import type { StoredObject } from '../../ports/storage.ts';
import { type Patience, patiently } from './patience.ts';
import { notRestError } from './rest-error.ts';
import { keyOfListed, type ListedType } from './rest-keys.ts';

export const LIST_V2 = 'application/vnd.x.restic.rest.v2';

/** A file as listed; `sizeBytes` null in version 1. */
export type ListedFile = Omit<StoredObject, 'sizeBytes'> & { readonly sizeBytes: number | null };

/**
 * Next piece of the list. Elements are flat objects (version 2) or strings (version 1) without braces or quotes inside,
 * since names are hex; so they can be cut out without a parser that streams.
 */
const PIECE = /[\s,]+|\[|\]|\{[^{}]*\}|"[^"]*"/y;
/** What may still become a piece when more arrives. */
const UNFINISHED = /^(\{[^{}]*|"[^"]*)?$/;
/** An element longer than this is no name of a repository's. */
const MAX_ELEMENT_LENGTH = 64 * 1024;
/** How Go writes a list that was never made. */
const NO_LIST = 'null';

/** Yields what is listed; names that no repository has are left out. Throws STORAGE_CONFIG when it is no such list. */
export async function* readList(
  type: ListedType,
  answer: http.IncomingMessage,
  patience: Patience,
): AsyncGenerator<ListedFile> {
  const scanner = new ListScanner();
  for await (const chunk of patiently<string>(patience, answer.setEncoding('utf8'))) {
    for (const element of scanner.push(chunk)) {
      const file = readElement(type, element);
      if (file) yield file;
    }
  }
  scanner.end(isAnnounced(answer));
}

/** Whether the server said how long the answer is: without that, one that broke off looks like one that ended. */
function isAnnounced({ headers }: http.IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** Cuts the text of a list into its elements. */
class ListScanner {
  #rest = '';
  #place: 'before' | 'inside' | 'after' = 'before';

  /** The elements that are whole now. */
  push(text: string): string[] {
    const all = this.#rest + text;
    const elements: string[] = [];
    let at = 0;
    PIECE.lastIndex = 0;
    for (let match = PIECE.exec(all); match; match = PIECE.exec(all)) {
      at = PIECE.lastIndex;
      if (this.#isElement(match[0])) elements.push(match[0]);
    }
    this.#rest = all.slice(at);
    const mayGoOn = UNFINISHED.test(this.#rest) || NO_LIST.startsWith(this.#rest);
    if (!mayGoOn || this.#rest.length > MAX_ELEMENT_LENGTH) throw notRestError();
    return elements;
  }

  /** Throws unless the list was whole, or nothing at all where that is certain. */
  end(isAnnounced: boolean): void {
    const isEmpty = this.#rest === '' && isAnnounced;
    const isNothing = this.#place === 'before' && (isEmpty || this.#rest === NO_LIST);
    if (!isNothing && (this.#place !== 'after' || this.#rest !== '')) throw notRestError();
  }

  #isElement(piece: string): boolean {
    if (/^[\s,]/.test(piece)) return false;
    if (this.#place !== (piece === '[' ? 'before' : 'inside')) throw notRestError();
    if (piece === '[') this.#place = 'inside';
    if (piece === ']') this.#place = 'after';
    return piece.length > 1;
  }
}

function readElement(type: ListedType, text: string): ListedFile | null {
  const value = parse(text);
  const { name, size, modified } = typeof value === 'string' ? { name: value } : (value as Record<string, unknown>);
  const key = typeof name === 'string' ? keyOfListed(type, name) : null;
  if (key === null) return null;
  const time = typeof modified === 'string' ? new Date(modified) : null;
  return {
    key,
    sizeBytes: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null,
    modifiedAt: time && !Number.isNaN(time.getTime()) ? time : null,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(notRestError(), { cause: error });
  }
}
