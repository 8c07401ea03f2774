import { recordRoutes } from '@backupx/contracts/api/records';
import { type RecordStatus, recordStatusSchema } from '@backupx/contracts/record-status';
import { type Command, Option } from 'commander';
import { findTask } from '../api/find-task.ts';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, printList, withExamples } from '../command-context.ts';
import { formatBytes, formatDuration, formatRelative, printable } from '../output/format.ts';
import { parseCount } from '../parse-argument.ts';
import { describeBackup, reportEnd, waitForBackup } from '../wait-for-run.ts';

/** `backupx run list|show|logs|wait|cancel` */
export function addRunCommand(program: Command, context: CommandContext): void {
  const run = program
    .command('run')
    .aliases(['runs', 'record', 'records'])
    .description('Runs of tasks and what came of them');
  withExamples(run, 'backupx run list --task web-files', 'backupx run logs 812', 'backupx run cancel 812');
  addList(run, context);
  addShow(run, context);
  run
    .command('logs')
    .argument('<id>', 'id of the run', parseCount)
    .description('The log of a run')
    .action(
      act(context, async (id: number) => {
        const record = await connect().call(recordRoutes.get, { params: { id } });
        for (const line of record.logContent.split('\n')) if (line !== '') context.terminal.data(printable(line));
        return 0;
      }),
    );
  run
    .command('wait')
    .argument('<id>', 'id of the run', parseCount)
    .description('Show the progress of a run and wait for its end')
    .option(...jsonFlag)
    .action(
      act(context, async (id: number, options: { json?: boolean }) => {
        const client = connect();
        const record = await client.call(recordRoutes.get, { params: { id } });
        return waitForBackup(context, client, { id, label: record.taskName, json: options.json });
      }),
    );
  run
    .command('cancel')
    .argument('<id>', 'id of the run', parseCount)
    .description('Stop a run')
    .action(
      act(context, async (id: number) => {
        await connect().call(recordRoutes.cancel, { params: { id } });
        context.terminal.say(`Run ${id} is being stopped.`);
        return 0;
      }),
    );
}

interface ListOptions {
  task?: string;
  status?: RecordStatus;
  limit: number;
  json?: boolean;
}

function addList(run: Command, context: CommandContext): void {
  run
    .command('list')
    .description('Newest runs first')
    .option('--task <task>', 'only runs of this task (id or name)')
    .addOption(new Option('--status <status>', 'only runs in this state').choices(recordStatusSchema.options))
    .option('--limit <count>', 'how many at most (1 to 200)', parseCount, 20)
    .option(...jsonFlag)
    .action(
      act(context, async (options: ListOptions) => {
        const client = connect();
        const taskId = options.task ? (await findTask(client, options.task)).id : undefined;
        const query = { taskId, status: options.status, pageSize: options.limit };
        const { items } = await client.call(recordRoutes.list, { query });
        printList(context, {
          items,
          json: options.json,
          heading: ['ID', 'TASK', 'SERVER', 'STARTED', 'TOOK', 'SIZE', 'STATUS'],
          row: (item) => [
            String(item.id),
            printable(item.taskName),
            printable(item.nodeName),
            formatRelative(item.startedAt, context.now()),
            item.completedAt ? formatDuration(item.durationSeconds) : '-',
            item.fileSize > 0 ? formatBytes(item.fileSize) : '-',
            item.status,
          ],
        });
        return 0;
      }),
    );
}

function addShow(run: Command, context: CommandContext): void {
  run
    .command('show')
    .argument('<id>', 'id of the run', parseCount)
    .description('One run with its problems')
    .option(...jsonFlag)
    .action(
      act(context, async (id: number, options: { json?: boolean }) => {
        const { terminal } = context;
        const record = await connect().call(recordRoutes.get, { params: { id } });
        if (options.json) {
          terminal.data(JSON.stringify(record, null, 2));
          return 0;
        }
        terminal.data(printable(describeBackup(record)));
        const facts = [
          `started   ${record.startedAt} (${record.trigger}) on ${record.nodeName}`,
          `artifact  ${record.storagePath || '-'}`,
          `storage   ${record.storageTargetName || '-'}${record.encrypted ? ', encrypted' : ''}${record.locked ? ', locked' : ''}`,
          `checksum  ${record.checksum ? `sha256:${record.checksum}` : '-'}`,
        ];
        for (const fact of facts) terminal.data(printable(fact));
        if (record.problemCount > 0 || record.errorMessage) reportEnd(context, record, '');
        return 0;
      }),
    );
}
