/**
 * An archive in a storage. There is no catalogue beside the names of objects; each object proves itself, and one `put`
 * makes it appear whole or not at all.
 */
import { AppError } from '@backupx/contracts/errors';
import type { DirectParameters } from '../direct-storage/parameter-file.ts';
import { openObject, sealObject } from '../direct-storage/sealed-object.ts';
import { replayable, type Storage } from '../ports/storage.ts';
import {
  type Cluster,
  claimKey,
  claimStart,
  keyStart,
  markKey,
  markStart,
  readClaimKey,
  readMarkKey,
  readWalKey,
  type StoredWal,
  walKey,
} from './archive-keys.ts';
import { claimName } from './claim-name.ts';
import type { WalName } from './wal-names.ts';

export type ArchiveSettings = Pick<DirectParameters, 'prefix' | 'recipients' | 'identities' | 'compressionLevel'>;

export interface NewFile {
  readonly file: WalName;
  readonly sha256: string;
  readonly systemIdentifier: string;
  /** Reads it from its beginning, as often as it is called. */
  read(): AsyncIterable<Uint8Array>;
}

/** See above. Methods throw what the storage throws. */
export class WalArchiveStore {
  readonly settings: ArchiveSettings;
  readonly #storage: Storage;

  constructor(storage: Storage, settings: ArchiveSettings) {
    this.#storage = storage;
    this.settings = settings;
  }

  /** The clusters that archive here; more than one only where two began at the same moment. */
  async clusters(signal: AbortSignal): Promise<Cluster[]> {
    const { prefix } = this.settings;
    const found: Cluster[] = [];
    for await (const { key } of this.#storage.list(markStart(prefix), signal)) {
      const cluster = readMarkKey(prefix, key);
      if (cluster) found.push(cluster);
    }
    return found;
  }

  /** The cluster whose archive this is. Throws WAL_ARCHIVE_MISSING, WAL_OTHER_CLUSTER. */
  async cluster(signal: AbortSignal): Promise<Cluster> {
    const [first, second] = await this.clusters(signal);
    if (!first) throw new AppError('WAL_ARCHIVE_MISSING', { prefix: this.settings.prefix });
    if (second) throw otherCluster(first, second);
    return first;
  }

  /** Makes the archive that of a cluster, or proves that it is. Throws WAL_OTHER_CLUSTER. */
  async claim({ systemIdentifier, segmentBytes }: Cluster, signal: AbortSignal): Promise<void> {
    const cluster = { systemIdentifier, segmentBytes };
    if (await this.#isOf(cluster, signal)) return;
    const content = `${JSON.stringify(cluster)}\n`;
    const claim = { key: claimKey(this.settings.prefix, 'cluster'), name: 'the archive', content };
    await claimName(this.#storage, claim, signal);
    if ((await this.clusters(signal)).length === 0) {
      await this.#storage.put(markKey(this.settings.prefix, cluster), textBody(content), { signal });
    }
    // The mark is there, so a claim that may not be deleted (a storage that only takes) is in nobody's way.
    await this.#storage.delete(claim.key, signal).catch(() => {});
    // Nobody takes a mark back: others of the same cluster may count on it.
    await this.#isOf(cluster, signal);
  }

  /** Throws WAL_OTHER_CLUSTER. */
  async #isOf(cluster: Cluster, signal: AbortSignal): Promise<boolean> {
    const marks = await this.clusters(signal);
    const other = marks.find((item) => !isSame(item, cluster));
    if (other) throw otherCluster(other, cluster);
    return marks.length > 0;
  }

  /** Makes sure that nobody stores another content of this name meanwhile. Throws WAL_CONFLICT. */
  async take({ name }: WalName, sha256: string, signal: AbortSignal): Promise<void> {
    await claimName(this.#storage, { key: claimKey(this.settings.prefix, name), name, content: sha256 }, signal);
  }

  /** The name is free again, since a listing shows what is stored. */
  async giveBack({ name }: WalName, signal: AbortSignal): Promise<void> {
    await this.#storage.delete(claimKey(this.settings.prefix, name), signal);
  }

  /** Names that are taken: by who is just storing them, or left by a kill or where nothing may be deleted. */
  async taken(signal: AbortSignal): Promise<WalName[]> {
    const { prefix } = this.settings;
    const found: WalName[] = [];
    for await (const { key } of this.#storage.list(claimStart(prefix), signal)) {
      const file = readClaimKey(prefix, key);
      if (file) found.push(file);
    }
    return found;
  }

  /** Everything of one name; more than one is a conflict. */
  async find(file: WalName, signal: AbortSignal): Promise<StoredWal[]> {
    return await this.#collect(keyStart(this.settings.prefix, file), signal);
  }

  /** Any segment behind this one on its timeline; null: there is none. */
  async findLater(file: WalName, signal: AbortSignal): Promise<string | null> {
    const { prefix } = this.settings;
    for await (const object of this.#storage.list(`${prefix}/${file.name.slice(0, 8)}`, signal)) {
      const stored = readWalKey(prefix, object);
      if (stored?.kind === 'segment' && stored.name > file.name) return stored.name;
    }
    return null;
  }

  /** All files, in no order. */
  async list(signal: AbortSignal): Promise<StoredWal[]> {
    return await this.#collect(`${this.settings.prefix}/`, signal);
  }

  /** Stores a file; answers its key and how many bytes went there. */
  async put(file: NewFile, signal: AbortSignal): Promise<{ key: string; sizeBytes: number }> {
    const { prefix, recipients, compressionLevel } = this.settings;
    const { sha256, systemIdentifier } = file;
    let sizeBytes = 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      sizeBytes = 0;
      const header = { format: 1, name: file.file.name, sha256, systemIdentifier } as const;
      for await (const chunk of sealObject(file.read(), { header, recipients, compressionLevel, sha256, signal })) {
        sizeBytes += chunk.byteLength;
        yield chunk;
      }
    }
    const key = walKey(prefix, { ...file.file, sha256, isEncrypted: recipients.length > 0 });
    await this.#storage.put(key, replayable(body), { signal });
    return { key, sizeBytes };
  }

  /** The content; whoever gets all of it got the right thing. Throws ARTIFACT_DAMAGED, ARTIFACT_KEY_… */
  open(stored: StoredWal, signal: AbortSignal, expected: Readonly<Record<string, string>> = {}) {
    return openObject(this.#storage.get(stored.key, { signal }), {
      expected: { name: stored.name, sha256: stored.sha256, ...expected },
      isEncrypted: stored.isEncrypted,
      identities: this.settings.identities,
      signal,
    });
  }

  /** False when it cannot be read here for want of a key. */
  canRead({ isEncrypted }: StoredWal): boolean {
    return !isEncrypted || this.settings.identities.length > 0;
  }

  async delete({ key }: StoredWal, signal: AbortSignal): Promise<void> {
    await this.#storage.delete(key, signal);
  }

  async #collect(start: string, signal: AbortSignal): Promise<StoredWal[]> {
    const found: StoredWal[] = [];
    for await (const object of this.#storage.list(start, signal)) {
      const stored = readWalKey(this.settings.prefix, object);
      if (stored) found.push(stored);
    }
    return found;
  }
}

function isSame(one: Cluster, other: Cluster): boolean {
  return one.systemIdentifier === other.systemIdentifier && one.segmentBytes === other.segmentBytes;
}

function describeCluster({ systemIdentifier, segmentBytes }: Cluster): string {
  return `${systemIdentifier} (segments of ${segmentBytes / 2 ** 20} MiB)`;
}

function otherCluster(expected: Cluster, found: Cluster): AppError {
  return new AppError('WAL_OTHER_CLUSTER', { expected: describeCluster(expected), found: describeCluster(found) });
}

function textBody(text: string): AsyncIterable<Uint8Array> {
  return replayable(async function* () {
    yield Buffer.from(text);
  });
}
