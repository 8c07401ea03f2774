/**
 * Finds the files of a task. A path that exists as it is written is that file, whatever characters it has; otherwise it
 * is a pattern. Names that lead to one file (links) are that file once, under its real path.
 */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ItemProblem } from '@backupx/contracts/jobs';
import picomatch from 'picomatch';
import type { SqliteConfig } from './config.ts';
import { ownerOfSidecar } from './sidecars.ts';

export interface FoundDatabases {
  /** Real paths, each once. */
  readonly paths: readonly string[];
  readonly problems: readonly ItemProblem[];
}

/** See above. Never throws: what is not there or cannot be looked at is a problem. */
export function findDatabases({ databases, excludeDatabases }: SqliteConfig): FoundDatabases {
  const found = new Set<string>();
  const problems: ItemProblem[] = [];
  const isExcluded = excludeDatabases.length > 0 ? picomatch(excludeDatabases, { dot: true }) : () => false;
  for (const wanted of databases) {
    const search = new Search(wanted);
    const matches = search.run();
    problems.push(...search.problems);
    for (const path of matches) if (!isExcluded(path)) found.add(path);
    if (matches.length > 0 || search.problems.length > 0) continue;
    const message = search.isPattern ? 'no file matches this pattern' : 'there is no such file';
    problems.push({ path: wanted, code: 'vanished', message });
  }
  return { paths: [...found], problems };
}

/** One path or pattern of the settings. */
class Search {
  readonly problems: ItemProblem[] = [];
  readonly #wanted: string;
  readonly #found: string[] = [];

  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  get isPattern(): boolean {
    return picomatch.scan(this.#wanted).isGlob;
  }

  run(): readonly string[] {
    const stat = statSync(this.#wanted, { throwIfNoEntry: false });
    if (stat?.isFile()) this.#found.push(realpathSync(this.#wanted));
    else if (stat) this.#add('unsupported', this.#wanted, 'it is not a file');
    else if (this.isPattern) this.#walkPattern();
    return this.#found;
  }

  #walkPattern(): void {
    const { base } = picomatch.scan(this.#wanted);
    const isMatch = picomatch(this.#wanted, { dot: this.#wanted.includes('/.') });
    const rest = this.#wanted.slice(base.length).split('/').filter(Boolean);
    // Braces may hold folders of several depths.
    const depth = rest.some((name) => name.includes('**') || name.includes('{'))
      ? Number.POSITIVE_INFINITY
      : rest.length;
    this.#walk(base === '' ? '/' : base, { depth, isMatch });
  }

  #walk(folder: string, { depth, isMatch }: { depth: number; isMatch: (path: string) => boolean }): void {
    for (const item of this.#list(folder)) {
      const path = join(folder, item.name);
      // A pattern of any depth follows no links: they may lead in circles.
      const isLink = item.isSymbolicLink();
      const stat = isLink ? statSync(path, { throwIfNoEntry: false }) : item;
      if (!stat) continue;
      if (stat.isDirectory() && depth > 1 && !(isLink && depth === Number.POSITIVE_INFINITY)) {
        this.#walk(path, { depth: depth - 1, isMatch });
      }
      if (stat.isFile() && isMatch(path)) this.#take(path);
    }
  }

  #list(folder: string): Dirent[] {
    try {
      return readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.#add('unreadable', folder, (error as Error).message);
      return [];
    }
  }

  #take(path: string): void {
    const owner = ownerOfSidecar(path);
    if (owner !== null && statSync(owner, { throwIfNoEntry: false })?.isFile()) return;
    try {
      this.#found.push(realpathSync(path));
    } catch (error) {
      const isOddName = path.includes('\uFFFD');
      if (isOddName) this.#add('unsupported', path, 'its name is not UTF-8');
      else this.#add('vanished', path, (error as Error).message);
    }
  }

  #add(code: ItemProblem['code'], path: string, message: string): void {
    this.problems.push({ path, code, message });
  }
}
