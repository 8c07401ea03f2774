import { Link } from '@tanstack/react-router';
import type { OverviewTask } from '../../api/types.ts';
import { paths } from '../../components/paths.ts';
import { TaskStateBadge } from '../../components/Status.tsx';
import { TaskStrip } from '../../components/TaskStrip.tsx';
import { Time } from '../../components/Time.tsx';
import { t } from '../../i18n/i18n.ts';
import { Card } from '../../ui/Card.tsx';
import { type Column, DataTable, rowLink } from '../../ui/DataTable.tsx';

/** One row per task: state, last good copy, next run, thirty days. */
export function ProtectionTable({ tasks }: { tasks: readonly OverviewTask[] }) {
  const columns: readonly Column<OverviewTask>[] = [
    {
      id: 'name',
      title: t('task.task'),
      lead: true,
      cell: (task) => (
        <div className="min-w-0">
          <Link to={paths.task(task.id)} className={rowLink}>
            {task.name}
          </Link>
          <p className="text-[13px] text-ink-3">{task.nodeName}</p>
        </div>
      ),
    },
    { id: 'state', title: t('task.state'), cell: (task) => <TaskStateBadge task={task} /> },
    {
      id: 'last',
      title: t('task.lastSuccess'),
      nowrap: true,
      cell: (task) => <Time at={task.lastSuccessAt} empty={t('task.never')} />,
    },
    {
      id: 'next',
      title: t('task.nextRun'),
      nowrap: true,
      cell: (task) =>
        task.enabled ? <Time at={task.nextRunAt} empty={t('task.byHand')} /> : <span className="text-ink-3">–</span>,
    },
    {
      id: 'strip',
      title: t('strip.title'),
      cell: (task) => <TaskStrip days={task.strip} label={t('strip.of', { name: task.name })} />,
    },
  ];
  return (
    <Card title={t('overview.tasks')} flush>
      <DataTable label={t('overview.tasks')} columns={columns} rows={tasks} rowKey={(task) => task.id} />
    </Card>
  );
}
