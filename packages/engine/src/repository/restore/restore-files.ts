import type { ItemProblem } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import type { RestoreEntry, RestoreFile, RestoreFileEntry, RestoreSession } from '../../ports/source.ts';

/** What a restore into a source needs of its session. */
export type PieceSession = RestoreSession & Required<Pick<RestoreSession, 'openFile'>>;

/** A file on its way. */
export interface PendingFile {
  readonly entry: RestoreFileEntry;
  readonly file: RestoreFile;
  /** Pieces that are still to come. */
  left: number;
  state: 'open' | 'done' | 'lost';
  /** Where it stands among the open ones. */
  slot: number;
  /** Further names of the file, to be made once it is in its place. */
  furtherNames: RestoreEntry[] | null;
}

/** The files that are open: counts their pieces, ends them, gives them their further names. */
export class RestoreFiles {
  readonly #session: PieceSession;
  readonly #problem: (problem: ItemProblem) => void;
  /** In any order. A set would look each of them up to forget it. */
  readonly #open: PendingFile[] = [];

  constructor(session: PieceSession, problem: (problem: ItemProblem) => void) {
    this.#session = session;
    this.#problem = problem;
  }

  /** Null when the session does not want the file. It waits for one piece until it is told of more. */
  begin(entry: RestoreFileEntry): PendingFile | null {
    const file = this.#session.openFile(entry);
    if (!file) return null;
    const pending: PendingFile = { entry, file, left: 1, state: 'open', slot: this.#open.length, furtherNames: null };
    this.#open.push(pending);
    return pending;
  }

  /** One of the pieces has come; the last one ends the file. A promise only where there is something to wait for. */
  pieceDone(pending: PendingFile): Promise<void> | null {
    pending.left -= 1;
    if (pending.left > 0 || pending.state !== 'open') return null;
    return this.end(pending, pending.file.finish());
  }

  /** The file has been ended, well or not. */
  end(pending: PendingFile, isWell: boolean): Promise<void> | null {
    pending.state = isWell ? 'done' : 'lost';
    this.#forget(pending);
    return pending.furtherNames ? this.#nameFurther(pending, pending.furtherNames) : null;
  }

  /** Gives a file up whose content is lost. */
  async lose(pending: PendingFile, message: string): Promise<void> {
    if (pending.state !== 'open') return;
    pending.file.discard();
    this.report(pending.entry.path, message);
    await this.end(pending, false);
  }

  report(path: Uint8Array, message: string): void {
    this.#problem({ path: displayPath(path), code: 'unreadable', message });
  }

  /** Makes a further name of a file, now or when the file is in its place. */
  async addName(first: PendingFile, entry: RestoreEntry): Promise<void> {
    if (first.state === 'done') await this.#session.write(entry);
    else if (first.state === 'lost') this.report(entry.path, 'its first name was not restored');
    else if (first.furtherNames) first.furtherNames.push(entry);
    else first.furtherNames = [entry];
  }

  /** Ends all that is open without putting it in place. */
  discardAll(): void {
    for (const { file } of this.#open) file.discard();
    this.#open.length = 0;
  }

  /** The last one takes its slot. */
  #forget(pending: PendingFile): void {
    if (this.#open[pending.slot] !== pending) return;
    const last = this.#open.pop();
    if (!last || last === pending) return;
    this.#open[pending.slot] = last;
    last.slot = pending.slot;
  }

  async #nameFurther(first: PendingFile, names: readonly RestoreEntry[]): Promise<void> {
    first.furtherNames = null;
    for (const entry of names) await this.addName(first, entry);
  }
}
