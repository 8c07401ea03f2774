import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { withEngine } from './engine-session.ts';
import type { RepositoryPlace } from './repository-address.ts';
import { type RepositoryOptions, readPassword, readPlace, withRepository } from './repository-options.ts';
import { json } from './snapshots.ts';

interface KitOptions extends RepositoryOptions {
  readonly output?: string;
}

export function addKitCommand(repo: Command, context: CommandContext): void {
  const command = repo
    .command('kit')
    .description('Write down all that is needed to get files back without this program')
    .option('-o, --output <file>', 'write it to a new file that only you can read, instead of the screen');
  withRepository(command).action(act(context, (options: KitOptions) => kit(context, options)));
  withExamples(command, 'backupx repo kit --output recovery-kit.txt');
}

async function kit(context: CommandContext, options: KitOptions): Promise<number> {
  const place = readPlace(options);
  const password = await readPassword(options);
  const job = { ...place, password, chunkerPolynomial: null, id: 0, adopt: true, hostname: hostname() };
  const { repositoryId, version } = await withEngine(context, (session) =>
    session.run({ kind: 'init_repository', ...job }, 'kit'),
  );
  const facts = { repository: resticAddress(place), repositoryId, version, password };
  const text = options.json ? `${json(facts)}\n` : describe(facts, context.now());
  if (!options.output) context.terminal.data(text);
  else {
    writeNew(options.output, text);
    context.terminal.say(`Written to ${options.output}. Keep it where this machine cannot take it along.`);
  }
  return 0;
}

interface KitFacts {
  readonly repository: string;
  readonly repositoryId: string;
  readonly version: number;
  readonly password: string;
}

function describe({ repository, repositoryId, version, password }: KitFacts, now: Date): string {
  return `Recovery kit, written ${now.toISOString().slice(0, 10)}

Repository  ${repository}
Id          ${repositoryId} (restic format, version ${version})
Password    ${password}

Whoever has this sheet and access to the storage can read everything in the repository.

With BackupX:
  backupx repo snapshots --repo ${repository}
  backupx repo restore latest --target /tmp/back --repo ${repository}

Without it, any restic from 0.14 on (https://restic.net) does the same:
  restic -r ${repository} snapshots
  restic -r ${repository} restore latest --target /tmp/back
  restic -r ${repository} check --read-data

Access keys of the storage are not on this sheet; keep them with it.
`;
}

/** The address as restic's `-r` takes it; of other storages: what kind it is and where in it. */
function resticAddress({ target, prefix }: RepositoryPlace): string {
  if (['local_disk', 's3', 'rest'].includes(target.type))
    return addressOf(target.name, target.type, target.config, prefix);
  return [`${target.type} (${target.name})`, prefix].filter(Boolean).join(', folder ');
}

function addressOf(name: string, type: string, config: Readonly<Record<string, unknown>>, prefix: string): string {
  const parts = (...texts: unknown[]) => texts.filter(Boolean).join('/');
  if (type === 'local_disk') return parts(config.basePath, prefix);
  if (type === 's3') return `s3:${parts(config.endpoint, config.bucket, config.prefix, prefix)}`;
  return name;
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const message = `it cannot be written: ${(cause as NodeJS.ErrnoException).code}`;
    throw new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'not_written', message }], cause });
  }
}
