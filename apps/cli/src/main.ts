/**
 * The `backupx` program: one file per command in `commands/`, each thin. The master and the agent are loaded only by
 * the commands that run them; everything else talks to a master by its HTTP API.
 */
import { Command, CommanderError } from 'commander';
import { type CommandContext, processContext } from './command-context.ts';
import { readVersion } from './commands/version.ts';

const exitCodes = `
Exit codes: 0 success, 1 failed, 2 usage, 3 finished with unreadable items, 4 not signed in, 5 not permitted,
6 not found, 7 unreachable, 8 damaged, 10 no repository, 11 busy or locked, 12 wrong key or password,
13 confirmation needed, 124 time limit, 130 interrupted.
The API commands use BACKUPX_URL and BACKUPX_TOKEN_FILE, or what "backupx login" remembered.`;

type AddCommand = (program: Command, context: CommandContext) => void;

/** By name, as the help lists them. Loaded only when needed: a database that waits for one should not wait for all. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  quickstart: async () => (await import('./commands/quickstart.ts')).addQuickstartCommand,
  server: async () => (await import('./commands/server.ts')).addServerCommand,
  agent: async () => (await import('./commands/agent.ts')).addAgentCommand,
  status: async () => (await import('./commands/status.ts')).addStatusCommand,
  login: async () => (await import('./commands/login.ts')).addLoginCommand,
  logout: async () => (await import('./commands/login.ts')).addLogoutCommand,
  task: async () => (await import('./commands/task.ts')).addTaskCommand,
  run: async () => (await import('./commands/run.ts')).addRunCommand,
  restore: async () => (await import('./commands/restore.ts')).addRestoreCommand,
  verify: async () => (await import('./commands/verify.ts')).addVerifyCommand,
  node: async () => (await import('./commands/node.ts')).addNodeCommand,
  storage: async () => (await import('./commands/storage.ts')).addStorageCommand,
  source: async () => (await import('./commands/source.ts')).addSourceCommand,
  repo: async () => (await import('./commands/repo.ts')).addRepoCommand,
  backint: async () => (await import('./commands/backint.ts')).addBackintCommand,
  wal: async () => (await import('./commands/wal.ts')).addWalCommand,
  binlog: async () => (await import('./commands/binlog.ts')).addBinlogCommand,
  'reset-password': async () => (await import('./commands/reset-password.ts')).addResetPasswordCommand,
  version: async () => (await import('./commands/version.ts')).addVersionCommand,
};

/** The command of that name, ready to parse; every command when there is none. */
async function buildProgram(context: CommandContext, name: string | undefined): Promise<Command> {
  const program = new Command('backupx')
    .description('Backups of files on many machines, under one roof.')
    .version(readVersion(), '-V, --version')
    .addHelpText(
      'before',
      'Examples:\n  backupx quickstart /srv/www\n  backupx task run web-files --wait\n  backupx restore 812 --target /tmp/back --wait\n',
    )
    .addHelpText('after', exitCodes)
    .showHelpAfterError('(add --help for the usage)')
    .exitOverride();
  const only = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  for (const load of only ? [only] : Object.values(commands)) (await load())(program, context);
  return program;
}

/** Runs one command line; the result is in `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', onBrokenPipe);
  process.stderr.on('error', onBrokenPipe);
  try {
    const program = await buildProgram(processContext, argv[2]);
    refuseUnknownCommand(program, argv[2]);
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end with 0, everything the parser refuses is wrong usage.
    process.exitCode = error.exitCode === 0 || error.code === 'commander.help' ? error.exitCode : 2;
  }
}

/** `backupx run list | head` is no failure: the reader has seen enough. */
function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}

/** Without this a typing error would be taken for an argument of the default command. */
function refuseUnknownCommand(program: Command, word: string | undefined): void {
  if (word === undefined || word.startsWith('-') || word === 'help') return;
  const known = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  if (known.includes(word)) return;
  const close = known.filter((name) => isClose(name, word));
  const guess = close.length > 0 ? `\n(Did you mean ${close.join(' or ')}?)` : '';
  program.error(`error: unknown command '${word}'${guess}`);
}

/** One letter more, fewer, different or swapped with its neighbour. */
function isClose(name: string, word: string): boolean {
  let start = 0;
  while (start < name.length && name[start] === word[start]) start += 1;
  const rest = (text: string, skip: number) => text.slice(start + skip);
  const swapped = word[start] === name[start + 1] && word[start + 1] === name[start];
  return (
    rest(name, 1) === rest(word, 1) ||
    rest(name, 0) === rest(word, 1) ||
    rest(name, 1) === rest(word, 0) ||
    (swapped && rest(name, 2) === rest(word, 2))
  );
}
