import { join } from 'node:path';
import type { RestoreContext } from '../../../ports/source.ts';
import { leftoversIn, settleInterrupted } from './interrupted-swap.ts';
import { assertDataFolderFree } from './target-folder.ts';

/** What a restore left that was killed while it put files in place. Throws DATABASE_IN_USE. */
export function settleLeftovers(dataFolder: string, { log, isDryRun }: Pick<RestoreContext, 'log' | 'isDryRun'>): void {
  if (leftoversIn(dataFolder).length === 0) return;
  if (isDryRun) {
    log('warn', `A restore into ${dataFolder} was killed at its very end; the next one settles that before it begins.`);
    return;
  }
  assertDataFolderFree(dataFolder, { mayReplace: true });
  const notes: string[] = [];
  const outcome = settleInterrupted(dataFolder, (text) => notes.push(text));
  const [left] = leftoversIn(dataFolder);
  for (const note of notes) log(left === undefined ? 'info' : 'warn', note);
  if (outcome === 'taken back')
    log(
      'warn',
      `An earlier restore was killed while it put files in place: ${dataFolder} is again what it was before that.`,
    );
  else if (outcome === 'finished')
    log('info', `Finished an earlier restore into ${dataFolder}, which was killed before what it replaced was gone.`);
  // Somebody has been told why it is there.
  if (left === undefined || notes.length > 0) return;
  log(
    'warn',
    `${join(dataFolder, left)} holds what a restore that was killed had moved aside; what belongs to it is not known.`,
  );
}
