/** What of a dump is restored: all of it, or what was chosen, without policies of roles that are not here. */
import { AppError } from '@backupx/contracts/errors';
import type { RestoreContext } from '../../ports/source.ts';
import type { Toc } from './archive-toc.ts';
import type { PsqlSession } from './psql-session.ts';
import { leaveOutPolicies } from './restore-plan.ts';
import { isPartial, selectEntries } from './select-entries.ts';
import type { RestoreOptions } from './settings.ts';

/** How people are told of what cannot come along. */
type Told = Pick<RestoreContext, 'problem'>;
type Choices = Pick<RestoreOptions, 'schemas' | 'tables' | 'privileges'>;

/** Dump ids; null: all. Throws DATABASE_NOT_FOUND for a name that the dump has not. */
export async function chooseEntries(
  toc: Toc,
  { session, context, choices }: { session: PsqlSession; context: Told; choices: Choices },
): Promise<ReadonlySet<number> | null> {
  const chosen = chooseParts(toc, choices, context);
  if (choices.privileges === 'keep') return chosen;
  const { ids, leftOut } = await leaveOutPolicies(session, toc, chosen);
  for (const name of leftOut)
    context.problem({ path: toc.database, code: 'skipped', message: `${name} is for a role that is not here` });
  return ids;
}

function chooseParts(toc: Toc, { schemas, tables }: Choices, { problem }: Told): ReadonlySet<number> | null {
  if (!isPartial({ schemas, tables })) return null;
  const { ids, missing, leftOut } = selectEntries(toc.entries, { schemas, tables });
  if (missing.length > 0) {
    const names = missing.map((name) => `"${name}"`).join(', ');
    throw new AppError('DATABASE_NOT_FOUND', {
      name: `table or schema ${names} in it`,
      server: `the dump of "${toc.database}"`,
    });
  }
  for (const name of leftOut)
    problem({ path: toc.database, code: 'skipped', message: `${name} needs a table that was not chosen` });
  return ids;
}
