import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { AppError } from '@backupx/contracts/errors';
import { type Command, Option } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { parseSnapshotPlace } from './snapshot-place.ts';
import { writeNewFile } from './write-new-file.ts';

const formats = ['raw', 'tar', 'zip'] as const;

interface DumpOptions extends RepositoryOptions {
  readonly format?: (typeof formats)[number];
  readonly output?: string;
}

export function addDumpCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('dump')
    .argument('<snapshot[:path]>', 'id, its beginning or "latest"; a file or folder in it')
    .description('Write a file, or a folder as tar or zip, to standard output')
    .addOption(new Option('--format <format>', 'default: raw for a file, tar for a folder').choices(formats))
    .option('-o, --output <file>', 'write to a new file instead');
  withRepository(command).action(act(context, (text: string, options: DumpOptions) => dump(context, text, options)));
  withExamples(
    command,
    'backupx repo dump latest:/etc/fstab',
    'backupx repo dump 3f2a:/srv/www | tar -t',
    'backupx repo dump --format zip -o www.zip latest:/srv/www',
  );
}

async function dump(context: CommandContext, text: string, options: DumpOptions): Promise<number> {
  const { snapshotId, path } = parseSnapshotPlace(text);
  const repository = await readAccess(options);
  if (!options.output && options.format !== 'raw' && process.stdout.isTTY && path === null) {
    const message = 'an archive does not belong on a terminal; add --output <file>, or pipe it';
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path: '--output', code: 'required', message }] });
  }
  await withEngine(context, async ({ engine, signal }) => {
    const format = options.format ?? 'auto';
    const stream = engine.openSnapshotStream({ repository, snapshotId, path, format }, signal);
    if (options.output) await writeNewFile(stream, options.output);
    else await writeAll(stream, { output: process.stdout, signal });
  });
  return 0;
}

/** Standard output stays open: messages of other parts may follow. */
async function writeAll(
  stream: AsyncIterable<Uint8Array>,
  { output, signal }: { readonly output: Writable; readonly signal: AbortSignal },
): Promise<void> {
  for await (const chunk of stream) if (!output.write(chunk)) await once(output, 'drain', { signal });
}
