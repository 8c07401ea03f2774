import type { Command } from 'commander';
import { act, type CommandContext, withExamples } from '../command-context.ts';
import { readSecret } from '../read-secret.ts';
import { configOptions } from '../start-master.ts';

interface ResetPasswordOptions {
  username: string;
  passwordFile?: string;
  config?: string;
  dataDir?: string;
}

export function addResetPasswordCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('reset-password')
    .description('Give a user a new password, on the machine of the master; ends the sessions of that user')
    .option('-u, --username <name>', 'user name', 'admin')
    .option('--password-file <file>', 'read the new password from a file instead of asking')
    .option('--config <file>', 'YAML file of the master')
    .option('--data-dir <folder>', 'data folder of the master (default ./data)')
    .action(
      act(context, async (options: ResetPasswordOptions) => {
        const password = await readSecret({ file: options.passwordFile, question: 'New password', isNew: true });
        const { resetPassword } = await import('@backupx/server/main');
        await resetPassword(configOptions(options), { username: options.username, password });
        context.terminal.say(`The password of ${options.username} was changed.`);
        return 0;
      }),
    );
  withExamples(command, 'backupx reset-password', 'printf %s "$NEW" | backupx reset-password --username admin');
}
