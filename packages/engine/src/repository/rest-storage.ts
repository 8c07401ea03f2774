/**
 * A repository behind a restic REST server (our master's gateway, or restic's own), as a storage. It knows only the keys
 * a repository has: `config`, `keys/…`, `locks/…`, `snapshots/…`, `index/…`, `data/<2 hex>/<64 hex>`; others throw
 * STORAGE_INVALID_KEY. Speaks version 2 of the protocol and understands answers in version 1.
 *
 * One promise of the port cannot be kept: files are never replaced. Since their names are hashes of their content, a
 * file that is there already counts as written; for the config it is REPOSITORY_EXISTS.
 */
import type http from 'node:http';
import { AppError } from '@backupx/contracts/errors';
import { BodyFailure, pullBody, throwIfCancelled } from '../ports/pull-body.ts';
import type { ByteRange, PutOptions, Storage, StoredObject } from '../ports/storage.ts';
import { assertStoragePrefix } from '../ports/storage-key.ts';
import { rangeHeader, readBody, readResuming } from './rest/read-body.ts';
import {
  createRestConnection,
  type RestAddress,
  type RestConnection,
  type RestRequest,
} from './rest/rest-connection.ts';
import { connectionError, notRestError, readRefusal, refusalError } from './rest/rest-error.ts';
import { type ListedType, listedTypes, mayHold, restPathOf } from './rest/rest-keys.ts';
import { LIST_V2, type ListedFile, readList } from './rest/rest-list.ts';
import { sendBody } from './rest/send-body.ts';

/** A body of unknown size is held in memory up to this, because the server wants to know its size. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
/** Version 1 lists names only; so many sizes are asked for at a time. */
const SIZES_AT_ONCE = 8;

/** Opens the storage; never does I/O. Throws STORAGE_CONFIG for an address that is none. */
export function createRestStorage(address: RestAddress): Storage {
  return new RestStorage(createRestConnection(address));
}

class RestStorage implements Storage {
  readonly #connection: RestConnection;

  constructor(connection: RestConnection) {
    this.#connection = connection;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, { signal, sizeBytes }: PutOptions): Promise<void> {
    const path = restPathOf(key);
    throwIfCancelled(signal);
    try {
      const chunks = pullBody(body, signal);
      if (sizeBytes !== undefined && key !== 'config') await this.#upload({ key, path, signal, sizeBytes }, chunks);
      else {
        const bytes = await collect(chunks);
        await this.#upload({ key, path, signal, sizeBytes: bytes.length, bytes }, [bytes]);
      }
    } catch (error) {
      throw error instanceof BodyFailure ? error.cause : connectionError(error, signal);
    }
  }

  async *get(key: string, { signal, range }: Parameters<Storage['get']>[1]): AsyncGenerator<Uint8Array> {
    const path = restPathOf(key);
    throwIfCancelled(signal);
    // HTTP cannot ask for nothing; whether the file is there is still to be told.
    if (range?.end !== undefined && range.end <= range.start) await this.stat(key, signal);
    else yield* readResuming(range, signal, (part) => this.#read({ key, path, signal }, part));
  }

  async *#read({ key, path, signal }: File, range: ByteRange): AsyncGenerator<Uint8Array> {
    const opened = this.#connection.open({ method: 'GET', path, headers: rangeHeader(range), signal });
    opened.request.end();
    try {
      const answer = await opened.patience.wait(opened.response);
      if (answer.statusCode === 416) await opened.patience.wait(readRefusal(answer));
      else if (isOk(answer)) yield* readBody(opened, answer, range);
      else throw refusalError(await opened.patience.wait(readRefusal(answer)), key);
    } catch (error) {
      throw connectionError(error, signal);
    } finally {
      opened.finish();
    }
  }

  async stat(key: string, signal: AbortSignal): Promise<StoredObject> {
    const path = restPathOf(key);
    const { headers } = await this.#ask({ method: 'HEAD', path, signal }, key);
    const sizeBytes = Number(headers['content-length'] ?? Number.NaN);
    if (!Number.isSafeInteger(sizeBytes)) throw notRestError();
    const time = new Date(headers['last-modified'] ?? Number.NaN);
    return { key, sizeBytes, modifiedAt: Number.isNaN(time.getTime()) ? null : time };
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    assertStoragePrefix(prefix);
    throwIfCancelled(signal);
    if (mayHold('config', prefix)) {
      const config = await this.#find('config', signal);
      if (config) yield config;
    }
    for (const type of listedTypes) if (mayHold(type, prefix)) yield* this.#listType(type, prefix, signal);
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#ask({ method: 'DELETE', path: restPathOf(key), signal }, key);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async *#listType(type: ListedType, prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    let nameless: string[] = [];
    for await (const file of this.#readType(type, signal)) {
      if (!file.key.startsWith(prefix)) continue;
      if (file.sizeBytes !== null) yield { ...file, sizeBytes: file.sizeBytes };
      else if (nameless.push(file.key) === SIZES_AT_ONCE) {
        yield* await this.#findAll(nameless, signal);
        nameless = [];
      }
    }
    yield* await this.#findAll(nameless, signal);
  }

  async *#readType(type: ListedType, signal: AbortSignal): AsyncGenerator<ListedFile> {
    const opened = this.#connection.open({ method: 'GET', path: `${type}/`, headers: { accept: LIST_V2 }, signal });
    opened.request.end();
    try {
      const answer = await opened.patience.wait(opened.response);
      if (isOk(answer)) yield* readList(type, answer, opened.patience);
      else {
        const refusal = await opened.patience.wait(readRefusal(answer));
        // A folder that nothing was written to yet.
        if (refusal.status !== 404) throw refusalError(refusal, `${type}/`);
        if (!meansMissing(answer)) throw new AppError('STORAGE_FAILED', { reason: refusal.message });
      }
    } catch (error) {
      throw connectionError(error, signal);
    } finally {
      opened.finish();
    }
  }

  /** What was listed and is gone by now is left out. */
  async #findAll(keys: readonly string[], signal: AbortSignal): Promise<StoredObject[]> {
    const found = await Promise.all(keys.map((key) => this.#find(key, signal)));
    return found.filter((object) => object !== null);
  }

  async #find(key: string, signal: AbortSignal): Promise<StoredObject | null> {
    try {
      return await this.stat(key, signal);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** A request without bodies. */
  async #ask(request: RestRequest, key: string): Promise<http.IncomingMessage> {
    throwIfCancelled(request.signal);
    const opened = this.#connection.open(request);
    opened.request.end();
    try {
      const answer = await opened.patience.wait(opened.response);
      const refusal = await opened.patience.wait(readRefusal(answer));
      if (isOk(answer)) return answer;
      throw refusalError(refusal, key);
    } catch (error) {
      throw connectionError(error, request.signal);
    } finally {
      opened.finish();
    }
  }

  async #upload(file: Upload, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const { key, path, sizeBytes, signal } = file;
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) };
    const opened = this.#connection.open({ method: 'POST', path, headers, signal });
    const { response, patience } = opened;
    try {
      const sent = sendBody(opened, chunks, sizeBytes);
      sent.catch(() => {});
      // The server may refuse before it has read everything; then its answer says more than the broken pipe.
      const answer = await Promise.race([response, sent.then(() => patience.wait(response))]);
      const refusal = await patience.wait(readRefusal(answer));
      if (!isOk(answer)) {
        if (refusal.status === 403 && (await this.#isThere(file))) return;
        throw refusalError(refusal, key);
      }
      await sent;
    } finally {
      opened.finish();
    }
  }

  /**
   * After a refusal that may mean "exists already", for instance because the answer to a first attempt was lost. The
   * name vouches for the content, except of the config.
   */
  async #isThere({ key, sizeBytes, signal, bytes }: Upload): Promise<boolean> {
    const found = await this.#find(key, signal).catch(() => null);
    if (!found || key !== 'config') return found?.sizeBytes === sizeBytes;
    const stored: Uint8Array[] = [];
    for await (const chunk of this.get(key, { signal })) stored.push(chunk);
    if (bytes?.equals(Buffer.concat(stored))) return true;
    throw new AppError('REPOSITORY_EXISTS', { where: this.#connection.label });
  }
}

interface File {
  readonly key: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

interface Upload extends File {
  readonly sizeBytes: number;
  /** The whole content, where it is at hand. */
  readonly bytes?: Buffer;
}

const isOk = ({ statusCode = 0 }: http.IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;

/**
 * rclone lists a folder that is missing as an empty one, and answers 404 when its own storage failed; as restic does,
 * that is not taken for "there are none": a prune would believe it.
 */
const meansMissing = ({ headers }: http.IncomingMessage): boolean => !/^rclone\//.test(String(headers.server));

const isMissing = (error: unknown): boolean => error instanceof AppError && error.code === 'STORAGE_NOT_FOUND';

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_BUFFERED_BYTES) {
      throw new AppError('NOT_SUPPORTED', {
        what: 'A large file of unknown size',
        hint: 'Its size must be told first.',
      });
    }
    copies.push(Buffer.from(chunk));
  }
  return Buffer.concat(copies);
}
