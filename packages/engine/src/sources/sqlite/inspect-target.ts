/** Which files a restore would replace, and which programs have them open. */
import { realpathSync, statSync } from 'node:fs';
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import { restoreOptions } from './config.ts';
import { databaseOfInventory, originalPathOf } from './entry-paths.ts';
import { holdersOfDatabase } from './file-holders.ts';
import { RenameRules } from './rename-rules.ts';

/** Throws RESTORE_TARGET_INVALID. */
export async function inspectTarget({ options, entries }: TargetContext): Promise<TargetInspection> {
  const renames = new RenameRules(restoreOptions(options).rename);
  const saved = entries.flatMap((entry) => databaseOfInventory(originalPathOf(Buffer.from(entry)) ?? '') ?? []);
  return { server: '', databases: saved.map((path) => lookAt(renames.apply(path) ?? path)) };
}

function lookAt(place: string): TargetInspection['databases'][number] {
  const stat = statSync(place, { throwIfNoEntry: false });
  // The real file behind links, as a restore does it. An empty one is not in the way.
  const name = stat ? realpathSync(place) : place;
  if (!stat || stat.size === 0) return { name, exists: false, sizeBytes: null, sessions: [] };
  const sessions = holdersOfDatabase(name).map(({ pid, program }) => {
    return { id: String(pid), user: '', address: '', program, since: null };
  });
  return { name, exists: true, sizeBytes: stat.size, sessions };
}
