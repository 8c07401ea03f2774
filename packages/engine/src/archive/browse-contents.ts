/**
 * Answers questions about a list of contents (`contents-index.ts`) in one pass over it: the children of a folder, or a
 * search. Kept in memory: the page asked for, and the names of the sub-folders of the one folder looked at.
 */
import { AppError } from '@backupx/contracts/errors';
import type { ArtifactEntry, BrowseArtifactResult } from '@backupx/contracts/jobs';
import { artifactEntrySchema } from '@backupx/contracts/jobs';
import type { ContentsLine } from './contents-index.ts';

const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 1024 * 1024;
const LINE_START = '{"path":"';
const lineSchema = artifactEntrySchema.omit({ name: true });

export interface BrowseContentsQuery {
  /** Folder whose children are wanted, as a display path; `''`: the top. Ignored when `search` is given. */
  readonly path: string;
  /** Case-insensitive part of a name; null or `''`: no search. */
  readonly search: string | null;
  readonly offset: number;
  readonly limit: number;
}

/**
 * `body` is the decompressed, decrypted list; it is read to its end. Children come folders first, then by name (plain
 * code unit order); folders that only show as a part of other paths are listed too. Search results keep archive order.
 * Throws ARTIFACT_DAMAGED for lines that are none, and what `body` throws.
 */
export async function browseContents(
  body: AsyncIterable<Uint8Array>,
  query: BrowseContentsQuery,
): Promise<BrowseArtifactResult> {
  const page = query.search ? new SearchPage(query.search, query) : new FolderPage(query.path, query);
  for await (const lines of linesOf(body)) for (const line of lines) page.add(line);
  const { entries, total } = page.result();
  const end = query.offset + entries.length;
  return { entries, total, nextOffset: entries.length > 0 && end < total ? end : null };
}

interface Page {
  /** One line of the list, without its newline. */
  add(line: string): void;
  result(): { entries: ArtifactEntry[]; total: number };
}

interface PageRange {
  readonly offset: number;
  readonly limit: number;
}

class SearchPage implements Page {
  readonly #wanted: string;
  readonly #range: PageRange;
  readonly #entries: ArtifactEntry[] = [];
  #total = 0;

  constructor(search: string, range: PageRange) {
    this.#wanted = search.toLowerCase();
    this.#range = range;
  }

  add(line: string): void {
    const entry = toEntry(parseLine(line));
    if (!entry.name.toLowerCase().includes(this.#wanted)) return;
    this.#total += 1;
    if (this.#total > this.#range.offset && this.#entries.length < this.#range.limit) this.#entries.push(entry);
  }

  result() {
    return { entries: this.#entries, total: this.#total };
  }
}

class FolderPage implements Page {
  readonly #range: PageRange;
  /** Starts of lines below the folder, JSON-escaped, so that most lines are judged without parsing them. */
  readonly #prefixes: readonly { readonly line: string; readonly path: string }[];
  readonly #folders = new Map<string, ArtifactEntry>();
  #files: ArtifactEntry[] = [];
  #fileCount = 0;

  constructor(path: string, range: PageRange) {
    this.#range = range;
    const folder = path.replace(/\/+$/, '');
    // At the top stand absolute paths, and the relative ones of sources that have no folders.
    const paths = folder === '' ? ['/', ''] : [`${folder}/`];
    this.#prefixes = paths.map((start) => ({ path: start, line: LINE_START + JSON.stringify(start).slice(1, -1) }));
  }

  add(line: string): void {
    if (!line.startsWith(LINE_START)) throw damagedList();
    const prefix = this.#prefixes.find((candidate) => line.startsWith(candidate.line));
    if (!prefix) return;
    const nameEnd = endOfName(line, prefix.line.length);
    if (line[nameEnd] === '/') this.#addImplied(prefix.path, line.slice(prefix.line.length, nameEnd));
    else if (nameEnd > prefix.line.length) this.#addListed(toEntry(parseLine(line)));
  }

  /** `rawName` is still JSON-escaped; the map's keys are too. */
  #addImplied(parent: string, rawName: string): void {
    const path = parent + rawName;
    if (rawName === '' || this.#folders.has(path)) return;
    const name = unescapeName(rawName);
    this.#folders.set(path, {
      name,
      path: parent + name,
      type: 'directory',
      size: 0,
      modifiedAt: null,
      mode: null,
    });
  }

  #addListed(entry: ArtifactEntry): void {
    if (entry.type === 'directory') {
      const parent = entry.path.slice(0, entry.path.length - entry.name.length);
      this.#folders.set(parent + JSON.stringify(entry.name).slice(1, -1), entry);
      return;
    }
    this.#fileCount += 1;
    this.#files.push(entry);
    // Only what may end up on the page is kept: sort and cut whenever twice as much has gathered.
    const needed = this.#range.offset + this.#range.limit;
    if (this.#files.length >= Math.max(2 * needed, 4096)) this.#files = this.#files.sort(byName).slice(0, needed);
  }

  result() {
    const folders = [...this.#folders.values()].sort(byName);
    const { offset, limit } = this.#range;
    const fromFolders = folders.slice(offset, offset + limit);
    const fileStart = Math.max(0, offset - folders.length);
    const fromFiles = this.#files.sort(byName).slice(fileStart, fileStart + limit - fromFolders.length);
    return { entries: [...fromFolders, ...fromFiles], total: folders.length + this.#fileCount };
  }
}

/** Index of the slash or quote that ends the name starting at `start`; quotes inside are escaped in JSON. */
function endOfName(line: string, start: number): number {
  for (let index = start; index < line.length; index += 1) {
    const character = line[index];
    if (character === '\\') index += 1;
    else if (character === '/' || character === '"') return index;
  }
  throw damagedList();
}

function unescapeName(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch (error) {
    throw damagedList(error);
  }
}

function byName(a: ArtifactEntry, b: ArtifactEntry): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function parseLine(line: string): ContentsLine {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch (error) {
    throw damagedList(error);
  }
}

function toEntry(line: ContentsLine): ArtifactEntry {
  return { name: line.path.slice(line.path.lastIndexOf('/') + 1), ...line };
}

/** Cuts the stream into lines, as many at once as a chunk holds. */
async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let rest = Buffer.alloc(0);
  for await (const chunk of body) {
    const data = rest.byteLength > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk);
    const end = data.lastIndexOf(NEWLINE) + 1;
    if (end > 0) yield data.toString('utf8', 0, end - 1).split('\n');
    rest = data.subarray(end);
    if (rest.byteLength > MAX_LINE_BYTES) throw damagedList();
  }
  if (rest.byteLength > 0) throw damagedList();
}

function damagedList(cause?: unknown): AppError {
  return new AppError('ARTIFACT_DAMAGED', { reason: 'the list of contents is malformed' }, { cause });
}
