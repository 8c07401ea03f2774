/** The receiver, for servers that cannot start a program for each segment, and its replication slot. */
import { type Command, Option } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';
import { parsePort, parseSize } from '../parse-argument.ts';
import { actOnArchive, configOption, given, walCall } from './wal-call.ts';

const DEFAULT_SLOT = 'backupx';
const DEFAULT_LIMIT = '4G';
const TLS_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

interface ServerFlags {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly sslmode?: string;
  readonly sslrootcert?: string;
  readonly passwordFile?: string;
  readonly service?: string;
  readonly serviceFile?: string;
  readonly slot: string;
}

function addServerOptions(command: Command): Command {
  return command
    .option('--host <host>', 'address of the server, or the folder of its socket')
    .option('--port <port>', 'its port', parsePort)
    .option('--user <name>', 'a role with REPLICATION')
    .addOption(new Option('--sslmode <mode>', 'TLS').choices(TLS_MODES))
    .option('--sslrootcert <file>', 'certificates of its authority')
    .option('--password-file <file>', 'the password, on the first line; mode 0600 (default: PGPASSFILE or ~/.pgpass)')
    .option('--service <name>', 'a section of the service file instead of these')
    .option('--service-file <file>', 'that file, when it is not ~/.pg_service.conf')
    .option('--slot <name>', 'replication slot', DEFAULT_SLOT);
}

function addressOf(flags: ServerFlags) {
  return {
    host: flags.host ?? null,
    port: flags.port ?? null,
    user: flags.user ?? null,
    tlsMode: flags.sslmode ?? null,
    caFile: flags.sslrootcert ?? null,
    passwordFile: flags.passwordFile ?? null,
    pgpassFile: process.env.PGPASSFILE ?? null,
    service: flags.service ?? null,
    serviceFile: flags.serviceFile ?? process.env.PGSERVICEFILE ?? null,
  };
}

interface ReceiveFlags extends ServerFlags {
  readonly config: string;
  readonly spool?: string;
  readonly spoolLimit: number;
  readonly createSlot?: boolean;
  readonly acceptGap?: boolean;
}

/** `backupx wal receive` */
export function addReceiveCommand(wal: Command, context: CommandContext): void {
  const command = wal
    .command('receive')
    .description('Follow the log of a server and archive it, until it is stopped')
    .requiredOption(...configOption)
    .option('--spool <folder>', 'private folder on a local disk where segments arrive')
    .addOption(
      new Option('--spool-limit <bytes>', 'what it may hold while the storage is down')
        .argParser(parseSize)
        .default(parseSize(DEFAULT_LIMIT), DEFAULT_LIMIT),
    )
    .option('--create-slot', 'make the slot if it is not there')
    .option('--accept-gap', 'go on although the server no longer has what comes next');
  addServerOptions(command).action(actOnArchive(context, (flags: ReceiveFlags) => receive(flags, context)));
  withExamples(
    command,
    'backupx wal receive --config /etc/backupx/wal.conf --spool /var/lib/backupx/wal --host db-1 --user replicator \\\n    --password-file /etc/backupx/db-1.password --create-slot',
  );
}

async function receive(flags: ReceiveFlags, { terminal }: CommandContext): Promise<number> {
  const { receiveWal } = await import('@backupx/engine/wal-archive');
  const stop = new AbortController();
  const now = new AbortController();
  const onSignal = () => (stop.signal.aborted ? now : stop).abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  await receiveWal({
    parameterFile: flags.config,
    address: addressOf(flags),
    slot: flags.slot,
    spoolFolder: given(flags.spool, '--spool'),
    spoolLimitBytes: flags.spoolLimit,
    isSlotCreated: flags.createSlot ?? false,
    isGapAccepted: flags.acceptGap ?? false,
    stop: stop.signal,
    signal: now.signal,
    say: (message) => terminal.say(message),
  });
  return 0;
}

/** `backupx wal slot create|drop` */
export function addSlotCommand(wal: Command, context: CommandContext): void {
  const slot = wal.command('slot').description('The replication slot of a receiver');
  const descriptions = {
    create: 'Make it; from then on the server keeps its log until it was received',
    drop: 'Drop it, when no receiver is to come back',
  };
  for (const action of ['create', 'drop'] as const) {
    addServerOptions(slot.command(action).description(descriptions[action])).action(
      actOnArchive(context, async (flags: ServerFlags) => {
        const { changeSlot } = await import('@backupx/engine/wal-archive');
        const { signal } = walCall('none');
        await changeSlot(action, { address: addressOf(flags), slot: flags.slot, signal });
        return 0;
      }),
    );
  }
}
