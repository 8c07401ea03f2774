import ignore from 'ignore';
import { type BytePath, toBytes } from './byte-paths.ts';

/** The matcher remembers every path it was asked about; a fresh one now and then keeps memory flat. */
const QUESTIONS_PER_MATCHER = 20_000;

/**
 * Decides what the gitignore-style patterns leave out below one root. Patterns are relative to the root; one that
 * begins with the root's own absolute path means the same place (people paste absolute paths). Null: nothing is left out.
 */
export function createExcludeRules(
  patterns: readonly string[],
  root: BytePath,
): ((path: BytePath, isFolder: boolean) => boolean) | null {
  const usable = patterns.map((pattern) => pattern.trim()).filter((pattern) => pattern !== '');
  if (usable.length === 0) return null;
  const rootText = toBytes(root).toString('utf8');
  const rules = usable.map((pattern) => relativeToRoot(pattern, rootText));
  let matcher = ignore().add(rules);
  let questions = 0;
  const prefix = root === '/' ? 1 : root.length + 1;
  return (path, isFolder) => {
    if (path.length < prefix) return false;
    if (++questions % QUESTIONS_PER_MATCHER === 0) matcher = ignore().add(rules);
    const relative = Buffer.from(path.slice(prefix), 'latin1').toString('utf8');
    return matcher.ignores(isFolder ? `${relative}/` : relative);
  };
}

function relativeToRoot(pattern: string, root: string): string {
  const negation = pattern.startsWith('!') ? '!' : '';
  const body = pattern.slice(negation.length);
  const prefix = root === '/' ? '/' : `${root}/`;
  return body.startsWith(prefix) ? `${negation}/${body.slice(prefix.length)}` : pattern;
}
