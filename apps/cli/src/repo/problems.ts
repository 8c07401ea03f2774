import type { ItemProblem } from '@backupx/contracts/jobs';
import type { CommandContext } from '../command-context.ts';
import { printable } from '../output/format.ts';

const SHOWN_AT_MOST = 10;

/** The first few items that could not be handled as asked. */
export function sayProblems(
  { terminal }: CommandContext,
  { problems, problemCount }: { readonly problems: readonly ItemProblem[]; readonly problemCount: number },
): void {
  const shown = problems.slice(0, SHOWN_AT_MOST);
  for (const { path, message } of shown) terminal.say(printable(`  ${path}: ${message}`));
  if (problemCount > shown.length) terminal.say(`  and ${problemCount - shown.length} more`);
}
