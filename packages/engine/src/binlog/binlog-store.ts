/**
 * The archive: `<prefix>/<name>-<SHA-256>.zst[.age]`, and beside each a `.json` that says what is in it and is written last:
 * a log without it is none. The log that is being written lies below `<prefix>/partial/`, until it is whole.
 */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import type { DirectParameters } from '../direct-storage/parameter-file.ts';
import { openObject, sealObject } from '../direct-storage/sealed-object.ts';
import { replayable, type Storage, type StoredObject } from '../ports/storage.ts';
import { byNumber, numberOf, parseBinlogName } from './binlog-names.ts';
import { timeText } from './log-time.ts';
import type { BinlogFacts } from './read-binlog.ts';

const noteSchema = z.object({
  format: z.literal(1),
  name: z.string().refine((name) => parseBinlogName(name) !== null),
  isPartial: z.boolean(),
  isEncrypted: z.boolean(),
  serverId: z.number(),
  serverVersion: z.string(),
  createdAt: z.number(),
  firstAt: z.number(),
  lastAt: z.number(),
  sizeBytes: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  transactions: z.number(),
  gtids: z.array(z.string()),
  /** Archives of earlier versions do not have these two. */
  repeated: z.number().optional(),
  startGtids: z.array(z.string()).default([]),
  end: z.enum(['rotate', 'stop', 'open']),
  nextFile: z.string().nullable(),
});

/** A log in the archive, and what it said about itself. */
export type StoredBinlog = z.output<typeof noteSchema> & {
  /** Of its data. */
  readonly key: string;
};

const NOTE = '.json';
const MAX_NOTE_BYTES = 1024 * 1024;

/** See above. */
export class BinlogStore {
  readonly settings: DirectParameters;
  readonly #storage: Storage;

  constructor(storage: Storage, settings: DirectParameters) {
    this.#storage = storage;
    this.settings = settings;
  }

  /** Whole logs in their order; two of a name are a conflict. Throws BINLOG_CONFLICT, ARTIFACT_DAMAGED, STORAGE_*. */
  async list(signal: AbortSignal): Promise<StoredBinlog[]> {
    const logs = (await this.#read(`${this.settings.prefix}/`, signal)).filter(({ isPartial }) => !isPartial);
    logs.sort(byNumber);
    for (const [index, { name }] of logs.entries()) {
      if (logs[index + 1]?.name === name) {
        throw new AppError('BINLOG_CONFLICT', { reason: `there are two logs ${name} in the archive` });
      }
    }
    const [first] = logs;
    const other = logs.find((log) => parseBinlogName(log.name)?.base !== parseBinlogName(first?.name ?? '')?.base);
    if (first && other) {
      throw new AppError('BINLOG_CONFLICT', { reason: `${first.name} and ${other.name} are of different series` });
    }
    return logs;
  }

  /** Whole logs and, behind them, the one that was being written. Throws like `list`. */
  async all(signal: AbortSignal): Promise<StoredBinlog[]> {
    const [whole, partial] = [await this.list(signal), await this.partial(signal)];
    // One that has become whole counts no more, nor one whose rest is lost: what follows must not be taken for that.
    const last = whole.at(-1);
    return partial && (!last || byNumber(last, partial) < 0) ? [...whole, partial] : whole;
  }

  /** The log that was being written, as far as it was stored last; null: there is none. */
  async partial(signal: AbortSignal): Promise<StoredBinlog | null> {
    const partials = await this.#read(`${this.settings.prefix}/partial/`, signal);
    return partials.sort((a, b) => byNumber(a, b) || a.sizeBytes - b.sizeBytes).at(-1) ?? null;
  }

  /**
   * `read`: the content once more, exactly what the facts are of. Less of a log that is being written than is there
   * already, as it is after a new start, replaces nothing: perhaps the server does not live to send the rest again. Another
   * log of its name does not replace it either. Throws BINLOG_CONFLICT, STORAGE_*.
   */
  async put(
    name: string,
    facts: BinlogFacts,
    { read, isPartial, signal }: { read(): AsyncIterable<Uint8Array>; isPartial: boolean; signal: AbortSignal },
  ): Promise<StoredBinlog> {
    const { recipients, compressionLevel, prefix } = this.settings;
    const isEncrypted = recipients.length > 0;
    const before = isPartial ? await this.partial(signal) : null;
    if (before?.name === name) {
      if (!isSameLog(before, facts)) {
        const reason = `${name} in the archive is of ${timeText(before.createdAt)}, that of the server of ${timeText(facts.createdAt)}`;
        throw new AppError('BINLOG_CONFLICT', { reason });
      }
      if (before.sizeBytes > facts.sizeBytes) return before;
    }
    const note = { format: 1, name, isPartial, isEncrypted, ...facts } as const;
    const start = `${prefix}/${isPartial ? 'partial/' : ''}${name}-${facts.sha256}`;
    const stored = {
      ...note,
      gtids: [...facts.gtids],
      startGtids: [...facts.startGtids],
      key: `${start}.zst${isEncrypted ? '.age' : ''}`,
    };
    const header = { format: 1, name, sha256: facts.sha256 } as const;
    const sealing = { header, recipients, compressionLevel, sha256: facts.sha256, signal };
    await this.#storage.put(
      stored.key,
      replayable(() => sealObject(read(), sealing)),
      { signal },
    );
    const text = Buffer.from(`${JSON.stringify(note)}\n`);
    const body = replayable(async function* () {
      yield text;
    });
    await this.#storage.put(`${start}${NOTE}`, body, { signal });
    await this.#dropPartials(name, isPartial ? start : null, signal);
    return stored;
  }

  /** The content; whoever gets all of it got the right thing. Throws ARTIFACT_DAMAGED, ARTIFACT_KEY_…, STORAGE_*. */
  open(log: StoredBinlog, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return openObject(this.#storage.get(log.key, { signal }), {
      expected: { name: log.name, sha256: log.sha256 },
      isEncrypted: log.isEncrypted,
      identities: this.settings.identities,
      signal,
    });
  }

  /** All there is of logs before this number, also what a kill has left: oldest first, of each the note before the data. */
  async objectsBefore(number: number, signal: AbortSignal): Promise<(StoredObject & { readonly name: string })[]> {
    const found: (StoredObject & { name: string })[] = [];
    const folder = `${this.settings.prefix}/`;
    for await (const object of this.#storage.list(folder, signal)) {
      const name = nameIn(folder, object.key) ?? nameIn(`${folder}partial/`, object.key);
      if (name !== null && numberOf(name) < number) found.push({ ...object, name });
    }
    return found.sort((a, b) => byNumber(a, b) || Number(b.key.endsWith(NOTE)) - Number(a.key.endsWith(NOTE)));
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#storage.delete(key, signal);
  }

  /** Of this log: what is newer has taken their place. That of a log that is lost otherwise, behind a gap, stays. */
  async #dropPartials(name: string, kept: string | null, signal: AbortSignal): Promise<void> {
    const keys: string[] = [];
    const start = `${this.settings.prefix}/partial/${name}-`;
    for await (const { key } of this.#storage.list(start, signal)) keys.push(key);
    // The note first: data without one is nothing.
    keys.sort((a, b) => Number(b.endsWith(NOTE)) - Number(a.endsWith(NOTE)));
    for (const key of keys) if (kept === null || !key.startsWith(kept)) await this.#storage.delete(key, signal);
  }

  async #read(folder: string, signal: AbortSignal): Promise<StoredBinlog[]> {
    const keys: string[] = [];
    for await (const { key } of this.#storage.list(folder, signal)) {
      if (key.endsWith(NOTE) && nameIn(folder, key) !== null) keys.push(key);
    }
    const logs: StoredBinlog[] = [];
    for (const key of keys) {
      const note = await this.#note(key, signal);
      const end = note.isEncrypted ? '.zst.age' : '.zst';
      logs.push({ ...note, key: `${key.slice(0, -NOTE.length)}${end}` });
    }
    return logs;
  }

  async #note(key: string, signal: AbortSignal): Promise<z.output<typeof noteSchema>> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.#storage.get(key, { signal })) {
      size += chunk.byteLength;
      if (size > MAX_NOTE_BYTES) break;
      chunks.push(Buffer.from(chunk));
    }
    try {
      return noteSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    } catch (cause) {
      throw new AppError('ARTIFACT_DAMAGED', { reason: `${key} cannot be read` }, { cause });
    }
  }
}

/** The log whose object lies in this folder itself: what is deeper may be another archive. Null: it is none. */
function nameIn(folder: string, key: string): string | null {
  if (!key.startsWith(folder)) return null;
  const name = /^([^/]+)-[0-9a-f]{64}\.(?:json|zst|zst\.age)$/.exec(key.slice(folder.length))?.[1];
  return name !== undefined && parseBinlogName(name) ? name : null;
}

/** Not another one of that name: of another server, or of this one after its numbers began anew. */
function isSameLog(before: StoredBinlog, { serverId, createdAt }: BinlogFacts): boolean {
  return before.serverId === serverId && before.createdAt === createdAt;
}
