import type { ItemProblem } from '@backupx/contracts/jobs';
import { MAX_LISTED_PROBLEMS } from '@backupx/contracts/problem-limit';
import type { Reporter } from '../ports/reporter.ts';

const LOGGED_PROBLEMS = 100;

/** Counts all problems of a run, lists the first thousand and logs the first hundred. */
export class ProblemList {
  readonly listed: ItemProblem[] = [];
  readonly #reporter: Reporter;
  #count = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  get count(): number {
    return this.#count;
  }

  add(problem: ItemProblem): void {
    const last = this.listed.at(-1);
    if (last && isSame(last, problem)) return;
    this.#count += 1;
    if (this.listed.length < MAX_LISTED_PROBLEMS) this.listed.push(problem);
    if (this.#count <= LOGGED_PROBLEMS) this.#reporter.log('warn', `${problem.path}: ${problem.message}`);
    if (this.#count === LOGGED_PROBLEMS) this.#reporter.log('warn', 'Further problems are listed but not logged.');
  }
}

/** Reader and archive may both notice that one file changed. Of a database many things may be missing, under one path. */
function isSame(one: ItemProblem, other: ItemProblem): boolean {
  if (one.path !== other.path || one.code !== other.code) return false;
  return one.code === 'changed' || one.message === other.message;
}
