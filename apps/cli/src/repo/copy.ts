import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { formatBytes, formatCount } from '../output/format.ts';
import { withEngine } from './engine-session.ts';
import {
  type FromOptions,
  missing,
  type RepositoryOptions,
  readAccess,
  readFromPassword,
  readFromPlace,
  toAccess,
  withFromRepository,
  withRepository,
} from './repository-options.ts';
import { json } from './snapshots.ts';

export function addCopyCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('copy')
    .argument('[snapshots...]', 'ids, beginnings of ids or "latest" (default: all that are not there yet)')
    .description('Copy snapshots from another repository into this one');
  withFromRepository(withRepository(command)).action(
    act(context, (ids: string[], options: RepositoryOptions & FromOptions) => copy(context, ids, options)),
  );
  withExamples(command, 'backupx repo copy --from-repo /mnt/backup/web --repo s3:https://host/bucket/web');
}

async function copy(context: CommandContext, ids: string[], options: RepositoryOptions & FromOptions): Promise<number> {
  const { terminal } = context;
  const fromPlace = readFromPlace(options);
  if (!fromPlace) throw missing('--from-repo', 'say where from: --from-repo <address>');
  const to = await readAccess(options);
  const from = toAccess(fromPlace, await readFromPassword(options));
  const snapshotIds = ids.length > 0 ? ids : null;
  const result = await withEngine(context, (session) =>
    session.run({ kind: 'copy_snapshots', from, to, snapshotIds }, 'copy'),
  );
  if (options.json) {
    terminal.data(json(result));
    return 0;
  }
  for (const copied of result.copied) terminal.data(`${copied.from.slice(0, 8)} -> ${copied.to.slice(0, 8)}`);
  const stored = `${formatCount(result.blobsCopied, 'blob')}, ${formatBytes(result.bytesStored)} stored`;
  terminal.say(`${formatCount(result.copied.length, 'snapshot')} copied, ${result.skipped} there already; ${stored}`);
  return 0;
}
