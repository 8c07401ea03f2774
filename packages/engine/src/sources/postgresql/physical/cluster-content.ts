/** The files of a backup on their way back, compared with the lists that came with them. */
import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, parseInventory } from '../../../ports/database-inventory.ts';
import { readText } from '../../../ports/entry-content.ts';
import type { RestoreEntry } from '../../../ports/source.ts';
import { type BackupManifest, findDamage, parseManifest } from './backup-manifest.ts';
import { sumKey } from './cluster-inventory.ts';
import { CONFIG, type EntryPlace, placeOf, WAL_FOLDER } from './entry-paths.ts';
import { FileSums } from './file-sums.ts';

const LABEL = 'backup_label';
/** Files that are looked at as well as written. */
const READ_PATHS = [LABEL, 'PG_VERSION', 'tablespace_map'];

/** Where the files go; without one they are only looked at. */
export interface ContentWriter {
  folder(path: string, mode: number): void;
  file(path: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void>;
}

/** See above. Paths are below the data directory, bytes as latin1 text. */
export class ClusterContent {
  readonly sums = new FileSums();
  readonly #writer: ContentWriter | null;
  readonly #texts = new Map<string, string>();
  readonly #configs = new Map<string, string>();
  #manifestText: string | null = null;
  #inventory: DatabaseInventory | null = null;

  constructor(writer: ContentWriter | null) {
    this.#writer = writer;
  }

  /** Null when there was none. */
  get manifestText(): string | null {
    return this.#manifestText;
  }

  get inventory(): DatabaseInventory | null {
    return this.#inventory;
  }

  /** Configuration from outside of the data directory, by name. */
  get configs(): ReadonlyMap<string, string> {
    return this.#configs;
  }

  /** Content of `backup_label`, `PG_VERSION` or `tablespace_map`. */
  textOf(path: 'backup_label' | 'PG_VERSION' | 'tablespace_map'): string {
    return this.#texts.get(path) ?? '';
  }

  /** Answers false for what is no part of a cluster. */
  async take(entry: RestoreEntry): Promise<boolean> {
    const place = placeOf(entry.path);
    if (!place || (entry.type !== 'file' && entry.type !== 'directory')) return entry.type === 'directory';
    if (entry.type === 'directory') {
      if (place.kind === 'data' || place.kind === 'tablespace') this.#writer?.folder(place.path, entry.mode);
      return true;
    }
    const content = entry.content ?? emptyContent();
    if (place.kind === 'manifest') this.#manifestText = await readText(content);
    else if (place.kind === 'inventory') this.#inventory = parseInventory(await readText(content));
    else await this.#takeFile(place, content, entry.mode);
    return true;
  }

  async #takeFile(place: EntryPlace, content: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
    if (place.kind === 'config') {
      const path = `${CONFIG}/${place.path}`;
      this.#configs.set(place.path, await readText(this.sums.taking(path, content)));
      return;
    }
    const { path } = place;
    const summed = this.sums.taking(path, content);
    const read = READ_PATHS.includes(path) ? this.#reading(path, summed) : summed;
    if (this.#writer) await this.#writer.file(path, read, mode);
    else for await (const _ of read);
  }

  async *#reading(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) {
      chunks.push(Uint8Array.from(chunk));
      yield chunk;
    }
    this.#texts.set(path, Buffer.concat(chunks).toString('utf8'));
  }

  /** The list of the server; throws DATABASE_DUMP_DAMAGED when it is missing or not whole. */
  manifest(): BackupManifest {
    try {
      if (this.#manifestText === null) throw new Error('its list of files (backup_manifest) is missing');
      return parseManifest(this.#manifestText);
    } catch (error) {
      throw new AppError('DATABASE_DUMP_DAMAGED', { name: 'the server', reason: (error as Error).message });
    }
  }

  /** What is missing, too much or not as it was; in words. */
  findDamage(manifest: BackupManifest): string[] {
    const inventory = this.#inventory;
    if (!inventory) return ['inventory.json is missing'];
    const unlisted = (path: string) => path.startsWith(`${WAL_FOLDER}/`) || path.startsWith(`${CONFIG}/`);
    const own = [...this.sums.paths()].filter(unlisted).flatMap((path) => {
      const wanted = inventory.details[sumKey(path)];
      return wanted === this.sums.get(path)?.sha256 ? [] : [`${path} is not the file that was saved`];
    });
    const lost = Object.keys(inventory.details).flatMap((key) => {
      const path = key.startsWith(sumKey('')) ? key.slice(sumKey('').length) : null;
      return path === null || this.sums.get(path) ? [] : [`${path} is missing`];
    });
    const listed = findDamage(manifest, this.sums).filter((text) => !text.startsWith(`${CONFIG}/`));
    return [...listed, ...own, ...lost];
  }
}

async function* emptyContent(): AsyncGenerator<Uint8Array> {
  // A file without content.
}
