import { authRoutes } from '@backupx/contracts/api/auth';
import type { Command } from 'commander';
import { createApiClient } from '../api/api-client.ts';
import { connect, connectPublic, defaultUrl, forgetProfile, saveProfile } from '../api/profile.ts';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { readSecret } from '../read-secret.ts';

export function addLoginCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('login')
    .argument('[url]', `address of the master (default: BACKUPX_URL or ${defaultUrl})`)
    .description('Sign in and remember the token')
    .option('-u, --username <name>', 'user name', 'admin')
    .option('--password-file <file>', 'read the password from a file instead of asking')
    .action(
      act(context, async (url: string | undefined, options: { username: string; passwordFile?: string }) => {
        const client = url ? createApiClient(url, null) : connectPublic();
        const password = await readSecret({ file: options.passwordFile, question: 'Password', isNew: false });
        const body = { username: options.username, password };
        const { token, user } = await client.call(authRoutes.login, { body });
        const path = saveProfile({ url: client.url, token });
        context.terminal.say(`Signed in to ${client.url} as ${user.username} (${user.role}); kept in ${path}.`);
        return 0;
      }),
    );
  withExamples(command, 'backupx login https://backup.example.com', 'backupx login --password-file ./password');
}

export function addLogoutCommand(program: Command, context: CommandContext): void {
  program
    .command('logout')
    .description('End the session and forget the token')
    .action(
      act(context, async () => {
        try {
          await connect().call(authRoutes.logout);
        } finally {
          forgetProfile();
        }
        context.terminal.say('Signed out.');
        return 0;
      }),
    );
}
