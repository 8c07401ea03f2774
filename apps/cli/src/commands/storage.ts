import { storageTargetRoutes } from '@backupx/contracts/api/storage-targets';
import type { Command } from 'commander';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, printList, withExamples } from '../command-context.ts';
import { formatBytes, formatRelative, printable } from '../output/format.ts';
import { parseCount } from '../parse-argument.ts';

/** `backupx storage list|test` */
export function addStorageCommand(program: Command, context: CommandContext): void {
  const storage = program.command('storage').description('Storage targets: where artifacts go');
  withExamples(storage, 'backupx storage list', 'backupx storage test 1');
  storage
    .command('list')
    .description('All storage targets')
    .option(...jsonFlag)
    .action(
      act(context, async (options: { json?: boolean }) => {
        const answer = await connect().call(storageTargetRoutes.list);
        printList(context, {
          items: Array.isArray(answer) ? answer : answer.items,
          json: options.json,
          heading: ['ID', 'NAME', 'TYPE', 'STORED', 'RECORDS', 'LAST TEST', 'STATUS'],
          row: (item) => [
            String(item.id),
            printable(item.name),
            item.type,
            formatBytes(item.storedBytes),
            String(item.recordCount),
            formatRelative(item.lastTestAt, context.now()),
            item.enabled ? { true: 'ok', false: 'failed', null: 'never tested' }[`${item.lastTestOk}`] : 'disabled',
          ],
        });
        return 0;
      }),
    );
  storage
    .command('test')
    .argument('<id>', 'id of the storage target', parseCount)
    .description('Write, read back and delete an object')
    .option(...jsonFlag)
    .action(
      act(context, async (id: number, options: { json?: boolean }) => {
        const { terminal } = context;
        const result = await connect().call(storageTargetRoutes.test, { params: { id } });
        if (options.json) terminal.data(JSON.stringify(result, null, 2));
        else for (const step of result.steps) terminal.data(`✓ ${step.name} (${Math.round(step.durationMs)} ms)`);
        const free = result.usage?.freeBytes;
        if (!options.json && typeof free === 'number') terminal.data(`  ${formatBytes(free)} free`);
        return 0;
      }),
    );
}
