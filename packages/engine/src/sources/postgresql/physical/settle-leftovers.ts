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
  const outcome = settleInterrupted(dataFolder, (text) => log('info', text));
  if (outcome === 'taken back')
    log(
      'warn',
      `An earlier restore was killed while it put files in place: ${dataFolder} is again what it was before that.`,
    );
  else if (outcome === 'finished')
    log('info', `Finished an earlier restore into ${dataFolder}, which was killed before what it replaced was gone.`);
  const [unknown] = leftoversIn(dataFolder);
  if (unknown === undefined) return;
  log(
    'warn',
    `${join(dataFolder, unknown)} holds what a restore that was killed had moved aside; what belongs to it is not known.`,
  );
}
