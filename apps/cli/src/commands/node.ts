import { nodeRoutes } from '@backupx/contracts/api/nodes';
import type { Command } from 'commander';
import { connect } from '../api/profile.ts';
import { act, type CommandContext, jsonFlag, printList, withExamples } from '../command-context.ts';
import { formatRelative, printable } from '../output/format.ts';

/** `backupx node list|add` */
export function addNodeCommand(program: Command, context: CommandContext): void {
  const node = program.command('node').alias('nodes').description('Servers whose agents run tasks');
  withExamples(node, 'backupx node list', 'backupx node add web-02');
  node
    .command('list')
    .description('All servers')
    .option(...jsonFlag)
    .action(
      act(context, async (options: { json?: boolean }) => {
        const answer = await connect().call(nodeRoutes.list);
        printList(context, {
          items: Array.isArray(answer) ? answer : answer.items,
          json: options.json,
          heading: ['ID', 'NAME', 'STATUS', 'HOST', 'AGENT', 'LAST SEEN', 'TASKS', 'RUNNING'],
          row: (item) => [
            String(item.id),
            printable(item.name) + (item.isLocal ? ' (master)' : ''),
            item.status,
            printable(item.hostname || '-'),
            printable(item.agentVersion || '-'),
            formatRelative(item.lastSeen, context.now()),
            String(item.taskCount),
            String(item.runningCount),
          ],
        });
        return 0;
      }),
    );
  node
    .command('add <name>')
    .description('Add a server; prints its token, which is shown this once')
    .option(...jsonFlag)
    .action(
      act(context, async (name: string, options: { json?: boolean }) => {
        const client = connect();
        const created = await client.call(nodeRoutes.create, { body: { name } });
        const { terminal } = context;
        if (options.json) {
          terminal.data(JSON.stringify(created, null, 2));
          return 0;
        }
        terminal.say(`Server ${created.name} (id ${created.id}) was added. Its token, shown this once:`);
        terminal.data(created.token);
        terminal.say('On that server put it into a file that only root may read, then start the agent:');
        terminal.say(`  backupx agent --master ${client.url} --token-file /etc/backupx-agent.token`);
        return 0;
      }),
    );
}
