/**
 * Repositories that were looked into lately stay open with their index in memory, so that the next folder is a matter of
 * milliseconds. Before each use the list of index files is compared, and only what is new is read.
 */
import { createHash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryAccess } from '@backupx/contracts/jobs';
import { type Clock, systemClock } from '../ports/clock.ts';
import { BlobIndex } from '../repository/blob-index.ts';
import { addIndexFile, loadIndex } from '../repository/load-index.ts';
import type { Repository } from '../repository/open-repository.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';
import { type RepositoryView, viewRepository } from './snapshot-view.ts';

const MAX_IDLE_MS = 10 * 60_000;
const MAX_OPEN = 4;
/** Memory for all indexes together; the one in use may be larger. */
const MAX_INDEX_BYTES = 512 * 1024 * 1024;
/** Enough for the tree of a folder with a million files, which is given up soon after its last page. */
const KEEP_TREE_BYTES = 512 * 1024 * 1024;
const KEEP_TREES_MS = 20_000;
/** A page that follows another at once need not look for new index files. */
const FRESH_MS = 2_000;
/** Index files are listed again when one vanished while it was read; more often would be something else. */
const MAX_LISTS = 5;

export interface KeptView extends RepositoryView {
  readonly repository: Repository;
}

export class KeptRepositories {
  readonly #clock: Clock;
  readonly #open = new Map<string, KeptRepository>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Does `work` on the repository, opened now or earlier. When something is missing because a garbage collection moved
   * it since, the work is done once more on what is there now.
   */
  async use<T>(context: JobContext, access: RepositoryAccess, work: (view: KeptView) => Promise<T>): Promise<T> {
    const wasOpen = this.#open.has(keyOf(access));
    try {
      return await this.useOnce(context, access, { maxAgeMs: FRESH_MS }, work);
    } catch (error) {
      if (!wasOpen || !(error instanceof AppError) || error.code !== 'REPOSITORY_DAMAGED') throw error;
      return await this.useOnce(context, access, { maxAgeMs: FRESH_MS }, work);
    }
  }

  /** The same without a second try. The list of index files was compared at most `maxAgeMs` ago. */
  async useOnce<T>(
    context: JobContext,
    access: RepositoryAccess,
    { maxAgeMs }: { readonly maxAgeMs: number },
    work: (view: KeptView) => Promise<T>,
  ): Promise<T> {
    const key = keyOf(access);
    const kept = this.#open.get(key) ?? new KeptRepository(context, access, this.#clock);
    this.#open.delete(key);
    this.#open.set(key, kept);
    kept.onIdle(MAX_IDLE_MS, () => this.#drop(key));
    kept.users += 1;
    try {
      const view = await kept.view(maxAgeMs);
      this.#makeRoom(key);
      return await work(view);
    } catch (error) {
      if (kept.couldNotOpen || concernsRepository(error)) this.#drop(key);
      throw error;
    } finally {
      kept.users -= 1;
      kept.closeWhenUnused();
    }
  }

  /** Gives everything up. */
  close(): void {
    for (const key of [...this.#open.keys()]) this.#drop(key);
  }

  /** The longest unused go first. */
  #makeRoom(inUse: string): void {
    let bytes = 0;
    for (const { indexBytes } of this.#open.values()) bytes += indexBytes;
    for (const [key, kept] of [...this.#open]) {
      if (this.#open.size <= MAX_OPEN && bytes <= MAX_INDEX_BYTES) return;
      if (key === inUse) continue;
      bytes -= kept.indexBytes;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    this.#open.get(key)?.close();
    this.#open.delete(key);
  }
}

/** Does `work` with the repositories kept by this thread, or where none are kept with some that are closed afterwards. */
export async function withKept<T>(context: JobContext, work: (kept: KeptRepositories) => Promise<T>): Promise<T> {
  const slot = context.kept ?? { repositories: null };
  slot.repositories ??= new KeptRepositories();
  try {
    return await work(slot.repositories);
  } finally {
    if (slot !== context.kept) slot.repositories.close();
  }
}

/** A path or snapshot that is not there says nothing against the repository. */
function concernsRepository(error: unknown): boolean {
  return !(error instanceof AppError) || /^(REPOSITORY|STORAGE)_/.test(error.code);
}

/** Secrets are part of the key, so whoever does not know them does not get in; only their hash is kept. */
function keyOf({ target, prefix, id, unlock }: RepositoryAccess): string {
  const { type, config, viaMaster } = target;
  return createHash('sha256')
    .update(JSON.stringify([type, config, viaMaster, prefix, id, unlock]))
    .digest('hex');
}

class KeptRepository {
  /** Pieces of work that use it now. */
  users = 0;
  /** Opening failed: whoever asks next must try again. */
  couldNotOpen = false;
  #isClosing = false;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  readonly #opened: Promise<Repository>;
  #index = new BlobIndex();
  #files = new Set<string>();
  #view: KeptView | null = null;
  #freshAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<KeptView> | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #treesTimer: NodeJS.Timeout | undefined;

  constructor(context: JobContext, access: RepositoryAccess, clock: Clock) {
    this.#clock = clock;
    const opened = Promise.withResolvers<Repository>();
    this.#opened = opened.promise;
    this.#opened.catch(() => {}); // whoever waits for it hears of it
    const signal = this.#closing.signal;
    withRepository({ ...context, signal }, access, { lock: null }, async (repository) => {
      opened.resolve(repository);
      await this.#done.promise;
    }).catch((error: unknown) => {
      this.couldNotOpen = true;
      opened.reject(error);
    });
  }

  get indexBytes(): number {
    return this.#index.memoryBytes;
  }

  onIdle(ms: number, drop: () => void): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(drop, ms);
    this.#idleTimer.unref();
    clearTimeout(this.#treesTimer);
    this.#treesTimer = setTimeout(() => this.#view?.loader.forget(), KEEP_TREES_MS);
    this.#treesTimer.unref();
  }

  /** At once, or when the last piece of work is through with it. */
  close(): void {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#treesTimer);
    this.#isClosing = true;
    this.closeWhenUnused();
  }

  closeWhenUnused(): void {
    if (!this.#isClosing || this.users > 0) return;
    this.#closing.abort();
    this.#done.resolve();
  }

  /** Not older than `maxAgeMs`. */
  async view(maxAgeMs: number): Promise<KeptView> {
    if (this.#view && this.#clock.monotonicMs() - this.#freshAtMs < maxAgeMs) return this.#view;
    const running = this.#refreshing;
    if (running) {
      const view = await running;
      // It may have listed the files before this was asked.
      if (maxAgeMs > 0) return view;
    }
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return await this.#refreshing;
  }

  async #refresh(lists = 1): Promise<KeptView> {
    const signal = this.#closing.signal;
    const repository = await this.#opened;
    const names = new Set<string>();
    for await (const { name } of repository.list('index', signal)) names.add(name);
    // What a removed file said cannot be taken back.
    const isOutdated = [...this.#files].some((name) => !names.has(name));
    if (!this.#view || isOutdated) {
      const files = new Set<string>();
      const onIndexFile = (name: string) => void files.add(name);
      // What only a damaged file knows of is missed when it is asked for, and by its name.
      this.#index = await loadIndex(repository, { signal, onIndexFile, onDamaged: onIndexFile });
      this.#files = files;
      const options = { signal, keepTreeBytes: KEEP_TREE_BYTES };
      this.#view = { repository, ...viewRepository(repository, this.#index, options) };
    }
    for (const name of names) {
      if (this.#files.has(name)) continue;
      try {
        addIndexFile(this.#index, await repository.readFile('index', name, signal));
      } catch (error) {
        // Replaced since the files were listed.
        const isGone = error instanceof AppError && error.code === 'STORAGE_NOT_FOUND';
        if (isGone && lists < MAX_LISTS) return await this.#refresh(lists + 1);
        throw error;
      }
      this.#files.add(name);
    }
    this.#freshAtMs = this.#clock.monotonicMs();
    return this.#view;
  }
}
