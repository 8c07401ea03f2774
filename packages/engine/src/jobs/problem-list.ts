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
    // Reader and archive may both notice that one file changed.
    if (last?.path === problem.path && last.code === problem.code) return;
    this.#count += 1;
    if (this.listed.length < MAX_LISTED_PROBLEMS) this.listed.push(problem);
    if (this.#count <= LOGGED_PROBLEMS) this.#reporter.log('warn', `${problem.path}: ${problem.message}`);
    if (this.#count === LOGGED_PROBLEMS) this.#reporter.log('warn', 'Further problems are listed but not logged.');
  }
}
