import { hostname } from 'node:os';
import type { RepositoryKeysJob, RepositoryKeysResult } from '@backupx/contracts/jobs';
import type { Command } from 'commander';
import { act, type CommandContext, printList, withExamples } from '../command-context.ts';
import { formatCount, printable } from '../output/format.ts';
import { readSecret } from '../read-secret.ts';
import { withEngine } from './engine-session.ts';
import { type RepositoryOptions, readAccess, withRepository } from './repository-options.ts';
import { json } from './snapshots.ts';

interface NewKeyOptions extends RepositoryOptions {
  readonly newPasswordFile?: string;
}

/** `backupx repo key list|add|remove|passwd` */
export function addKeyCommand(repo: Command, context: CommandContext): void {
  const key = repo.command('key').description('Passwords that open the repository');
  withExamples(key, 'backupx repo key list', 'backupx repo key add', 'backupx repo key passwd');
  withRepository(key.command('list').description('All keys')).action(
    act(context, async (options: RepositoryOptions) => {
      const { keys } = await runKeys(context, options, { action: 'list', password: null, keyId: null });
      printList(context, {
        items: keys,
        json: options.json,
        heading: ['', 'ID', 'USER', 'HOST', 'CREATED'],
        row: (item) => [
          item.isCurrent ? '*' : '',
          item.id.slice(0, 8),
          printable(item.username),
          printable(item.hostname),
          item.created.slice(0, 19).replace('T', ' '),
        ],
      });
      return 0;
    }),
  );
  withRepository(withNewPassword(key.command('add').description('A further password'))).action(
    act(context, (options: NewKeyOptions) => setPassword(context, options, 'add')),
  );
  withRepository(withNewPassword(key.command('passwd').description('Replace the password that opens it now'))).action(
    act(context, (options: NewKeyOptions) => setPassword(context, options, 'change')),
  );
  withRepository(
    key.command('remove').argument('<id>', 'id of the key (backupx repo key list)').description('Take a password away'),
  ).action(
    act(context, async (id: string, options: RepositoryOptions) => {
      const result = await runKeys(context, options, { action: 'remove', password: null, keyId: id });
      if (options.json) context.terminal.data(json(result));
      else context.terminal.say(`The key was removed; ${formatCount(result.keys.length, 'key')} left.`);
      return 0;
    }),
  );
}

function withNewPassword(command: Command): Command {
  return command.option('--new-password-file <file>', 'read the new password from a file instead of asking');
}

async function setPassword(context: CommandContext, options: NewKeyOptions, action: 'add' | 'change'): Promise<number> {
  const repositoryFirst = await readAccess(options);
  const password = await readSecret({ file: options.newPasswordFile, question: 'New password', isNew: true });
  const result = await runKeys(context, options, { action, password, keyId: null }, repositoryFirst);
  if (options.json) context.terminal.data(json(result));
  else
    context.terminal.say(
      action === 'add' ? `Key ${result.addedId?.slice(0, 8)} was added.` : 'The password was changed.',
    );
  return 0;
}

async function runKeys(
  context: CommandContext,
  options: RepositoryOptions,
  request: Pick<RepositoryKeysJob, 'action' | 'password' | 'keyId'>,
  access?: RepositoryKeysJob['repository'],
): Promise<RepositoryKeysResult> {
  const repository = access ?? (await readAccess(options));
  return await withEngine(context, (session) =>
    session.run({ kind: 'repository_keys', repository, hostname: hostname(), ...request }, 'key'),
  );
}
