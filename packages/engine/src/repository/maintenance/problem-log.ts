import type { RepositoryProblem } from '@backupx/contracts/jobs';
import { MAX_LISTED_PROBLEMS } from '@backupx/contracts/problem-limit';

const MAX_NAMED = 100;
const MAX_MESSAGE_LENGTH = 4000;
const MAX_PATH_LENGTH = 8000;

export type ProblemCode =
  | 'blob_missing'
  | 'config_damaged'
  | 'file_foreign'
  | 'index_contradictory'
  | 'index_damaged'
  | 'index_repeated'
  | 'key_damaged'
  | 'key_missing'
  | 'pack_damaged'
  | 'pack_missing'
  | 'pack_mixed'
  | 'pack_unindexed'
  | 'pack_wrong_size'
  | 'snapshot_damaged'
  | 'tree_invalid';

/** Gathers what a check finds: the first thousand in full, the rest as a number. */
export class ProblemLog {
  readonly problems: RepositoryProblem[] = [];
  #count = 0;
  #hasErrors = false;

  /** All, listed or not. */
  get count(): number {
    return this.#count;
  }

  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  /** Answers the number of the problem, for `affects`; -1 when it is not listed. */
  add(level: 'error' | 'hint', code: ProblemCode, { object, message }: { object: string; message: string }): number {
    this.#count += 1;
    if (level === 'error') this.#hasErrors = true;
    if (this.problems.length >= MAX_LISTED_PROBLEMS) return -1;
    this.problems.push({ code, object, message, level, snapshotIds: [], paths: [] });
    return this.problems.length - 1;
  }

  /** Notes what is not whole because of a problem. */
  affects(problem: number, what: { readonly path?: string; readonly snapshotId?: string }): void {
    const listed = this.problems[problem];
    if (!listed) return;
    if (what.path !== undefined && listed.paths.length < MAX_NAMED) addOnce(listed.paths, shortened(what.path));
    if (what.snapshotId !== undefined) addOnce(listed.snapshotIds, what.snapshotId);
  }

  /** Says more about a problem, up to a length: a pack may hold thousands of folders that cannot be read. */
  addToMessage(problem: number, text: string): void {
    const listed = this.problems[problem];
    if (!listed || listed.message.length > MAX_MESSAGE_LENGTH) return;
    listed.message += ` ${text}`;
    if (listed.message.length > MAX_MESSAGE_LENGTH) listed.message += ' And so on.';
  }
}

/** A path that no file system has, in a tree that somebody made up, must not fill the memory. */
function shortened(path: string): string {
  if (path.length <= MAX_PATH_LENGTH) return path;
  return `${path.slice(0, MAX_PATH_LENGTH / 2)}…${path.slice(-MAX_PATH_LENGTH / 2)}`;
}

function addOnce(list: string[], text: string): void {
  if (list.length < MAX_NAMED && !list.includes(text)) list.push(text);
}
