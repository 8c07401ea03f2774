/** Writes the files of a cluster into a folder, and those of its tablespaces each into one of its own. */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { SystemUser } from '../server.ts';
import type { ContentWriter } from './cluster-content.ts';
import { TABLESPACE_FOLDER, WAL_FOLDER } from './entry-paths.ts';

const SIGNALS = ['standby.signal', 'recovery.signal'];
const GROUP_READ = 0o040;

export interface ClusterWriterOptions {
  /** The data directory to be. */
  readonly folder: string;
  readonly owner: SystemUser | null;
  /** Folder for the tablespace of this number; asked once for each. */
  tablespaceFolder(oid: string): string;
  readonly signal: AbortSignal;
  onBytes(count: number): void;
}

/** See above. Paths are below the data directory, bytes as latin1 text; they come from `placeOf` and lead nowhere else. */
export class ClusterWriter implements ContentWriter {
  readonly #options: ClusterWriterOptions;
  readonly #tablespaces = new Map<string, string>();
  /** Mode of the data directory, by the modes of what is in it. */
  mode = 0o700;
  fileCount = 0;

  constructor(options: ClusterWriterOptions) {
    this.#options = options;
  }

  /** Numbers of the tablespaces that came. */
  get tablespaces(): ReadonlyMap<string, string> {
    return this.#tablespaces;
  }

  /** Makes the data directory itself, where nobody else has. */
  root(): void {
    this.#makeFolder(this.#options.folder, this.mode);
  }

  folder(path: string, mode: number): void {
    if (path === '') return;
    this.#makeFolder(this.#placeOf(path), mode);
  }

  async file(path: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
    const { signal, onBytes } = this.#options;
    const place = this.#placeOf(path);
    this.#makeFolder(dirnameOf(place), mode);
    if (mode & GROUP_READ) this.mode = 0o750;
    const handle = openSync(place, 'wx', fileMode(mode));
    try {
      for await (const chunk of content) {
        if (signal.aborted) throw new AppError('CANCELLED');
        for (let at = 0; at < chunk.byteLength; ) at += writeSync(handle, chunk, at);
        onBytes(chunk.byteLength);
      }
    } finally {
      closeSync(handle);
    }
    this.#own(place);
    this.fileCount += 1;
  }

  /** A small file of ours in the data directory; replaces one that came. */
  text(name: string, text: string): void {
    const path = join(this.#options.folder, name);
    rmSync(path, { force: true });
    writeFileSync(path, text, { mode: this.mode === 0o750 ? 0o640 : 0o600 });
    this.#own(path);
  }

  /** A small file in the data directory; `''` when there is none. */
  read(name: string): string {
    const path = join(this.#options.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  has(name: string): boolean {
    return existsSync(join(this.#options.folder, name));
  }

  /**
   * Takes away what makes a server go on replaying: one that was a standby would follow its primary at once, also beyond
   * what it was restored for.
   */
  removeSignals(): void {
    for (const name of SIGNALS) rmSync(join(this.#options.folder, name), { force: true });
  }

  /** Says of the WAL that came that it is archived already, as a base backup does. */
  markWalArchived(): void {
    const folder = join(this.#options.folder, WAL_FOLDER);
    const status = join(folder, 'archive_status');
    this.#makeFolder(status, this.mode);
    for (const name of readdirSync(folder)) {
      if (!/^[0-9A-F]{24}$|^[0-9A-F]{8}\.history$/.test(name)) continue;
      const path = join(status, `${name}.done`);
      writeFileSync(path, '', { mode: 0o600 });
      this.#own(path);
    }
  }

  /**
   * Makes everything survive a crash of the machine. At the end, since a file system that is asked for each file as it
   * comes writes its journal a thousand times.
   */
  sync(): void {
    for (const folder of [this.#options.folder, ...this.#tablespaces.values()]) syncTree(Buffer.from(folder));
  }

  /** Links to the tablespaces, at the places that `locationOf` tells. */
  linkTablespaces(locationOf: (oid: string) => string): void {
    for (const oid of this.#tablespaces.keys()) {
      const link = join(this.#options.folder, TABLESPACE_FOLDER, oid);
      this.#makeFolder(dirnameOf(link), this.mode);
      rmSync(link, { force: true });
      symlinkSync(locationOf(oid), link);
    }
  }

  /** Where a file is written. Names are bytes, and so are paths with a name that is not UTF-8. */
  #placeOf(path: string): string | Buffer {
    const [top, oid = '', ...rest] = path.split('/');
    const isInTablespace = top === TABLESPACE_FOLDER && oid !== '';
    const base = isInTablespace ? this.#folderOfTablespace(oid) : this.#options.folder;
    const below = isInTablespace ? rest.join('/') : path;
    const bytes = Buffer.concat([Buffer.from(`${base}/`), Buffer.from(below, 'latin1')]);
    const text = bytes.toString('utf8');
    return Buffer.from(text).equals(bytes) ? text.replace(/\/$/, '') : bytes;
  }

  #folderOfTablespace(oid: string): string {
    const known = this.#tablespaces.get(oid);
    if (known !== undefined) return known;
    const folder = this.#options.tablespaceFolder(oid);
    this.#tablespaces.set(oid, folder);
    return folder;
  }

  #makeFolder(path: string | Buffer, mode: number): void {
    if (existsSync(path)) return;
    this.#makeFolder(dirnameOf(path), mode);
    mkdirSync(path, { mode: mode & GROUP_READ ? 0o750 : 0o700 });
    this.#own(path);
  }

  #own(path: string | Buffer): void {
    const { owner } = this.#options;
    if (owner) chownSync(path, owner.uid, owner.gid);
  }
}

/** Nothing in a data directory is for others. */
const fileMode = (mode: number): number => (mode & GROUP_READ ? 0o640 : 0o600);

function dirnameOf(path: string | Buffer): string | Buffer {
  return typeof path === 'string' ? dirname(path) : path.subarray(0, path.lastIndexOf(0x2f));
}

function syncTree(folder: Buffer): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), entry.name]);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncOne(path);
  }
  syncOne(folder);
}

function syncOne(path: Buffer): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
