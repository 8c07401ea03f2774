import { Link } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { useTasks } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Task } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { SearchInput } from '../../components/SearchInput.tsx';
import { TaskStateBadge } from '../../components/Status.tsx';
import { sourceWords } from '../../components/source-words.ts';
import { Time } from '../../components/Time.tsx';
import { DeleteTaskDialog, useRunTask, useToggleTask } from '../../components/task-actions.tsx';
import { cronWords } from '../../i18n/cron-words.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass, IconButton } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable, rowLink } from '../../ui/DataTable.tsx';
import { Switch } from '../../ui/Field.tsx';
import { Icon } from '../../ui/Icon.tsx';

function RowActions({ task, onDelete }: { task: Task; onDelete: () => void }) {
  const run = useRunTask();
  const toggle = useToggleTask();
  return (
    <div className="relative z-10 flex items-center gap-1 sm:justify-end">
      <IconButton
        icon="play"
        label={t('task.runNamed', { name: task.name })}
        busy={run.isPending}
        disabled={task.lastRun?.status === 'running'}
        onClick={() => run.start(task.id)}
      />
      <Link
        to={paths.editTask(task.id)}
        aria-label={t('task.editNamed', { name: task.name })}
        title={t('task.editNamed', { name: task.name })}
        className="inline-flex size-8 items-center justify-center rounded-lg text-ink-2 hover:bg-raised hover:text-ink"
      >
        <Icon name="edit" />
      </Link>
      <IconButton icon="trash" label={t('task.deleteNamed', { name: task.name })} onClick={onDelete} />
      <Switch
        checked={task.enabled}
        label={t('task.scheduleOn', { name: task.name })}
        onChange={(enabled) => toggle(task, enabled)}
      />
    </div>
  );
}

/** All tasks: the pattern for list pages. */
export default function TasksPage() {
  const user = useUser();
  const [search, setSearch] = useState('');
  const query = useTasks(useDeferredValue(search.trim()));
  const [deleting, setDeleting] = useState<Task | null>(null);
  const columns: readonly Column<Task>[] = [
    {
      id: 'name',
      title: t('task.task'),
      lead: true,
      cell: (task) => (
        <div className="min-w-0">
          <Link to={paths.task(task.id)} className={rowLink}>
            {task.name}
          </Link>
          <p className="max-w-60 truncate text-[13px] 2xl:max-w-96 text-ink-3" title={sourceWords(task)}>
            {task.nodeName} · <span className="font-mono text-xs">{sourceWords(task)}</span>
          </p>
        </div>
      ),
    },
    { id: 'state', title: t('task.state'), cell: (task) => <TaskStateBadge task={task} /> },
    {
      id: 'schedule',
      title: t('task.schedule'),
      cell: (task) => (
        <span className={`block sm:min-w-32 ${task.enabled ? '' : 'text-ink-3'}`}>
          {cronWords(task.cronExpr) ?? task.cronExpr}
        </span>
      ),
    },
    {
      id: 'next',
      title: t('task.nextRun'),
      hideBelow: 'xl',
      nowrap: true,
      cell: (task) =>
        task.enabled ? <Time at={task.nextRunAt} empty={t('task.byHand')} /> : <span className="text-ink-3">–</span>,
    },
    {
      id: 'last',
      title: t('task.lastSuccess'),
      hideBelow: 'lg',
      nowrap: true,
      cell: (task) => <Time at={task.lastSuccessAt} empty={t('task.never')} />,
    },
    ...(user.can('operator')
      ? [
          {
            id: 'actions',
            title: t('table.actions'),
            quiet: true,
            end: true,
            cell: (task: Task) => <RowActions task={task} onDelete={() => setDeleting(task)} />,
          },
        ]
      : []),
  ];
  const add = user.can('operator') && (
    <Link to={paths.newTask} className={buttonClass('primary')}>
      <Icon name="plus" />
      {t('shortcut.newTask')}
    </Link>
  );
  return (
    <>
      <PageHeader title={t('nav.tasks')} note={t('tasks.note')} actions={add} />
      <Card flush>
        <div className="border-b border-line p-3">
          <SearchInput label={t('tasks.search')} value={search} onChange={setSearch} />
        </div>
        <QueryView query={query} rows={6}>
          {({ items, total }) => {
            if (items.length === 0 && search) return <EmptyState icon="search" title={t('tasks.noMatch')} />;
            if (items.length === 0)
              return <EmptyState icon="tasks" title={t('tasks.empty')} text={t('tasks.emptyText')} action={add} />;
            return (
              <>
                <DataTable label={t('nav.tasks')} columns={columns} rows={items} rowKey={(task) => task.id} />
                {items.length < total && (
                  <p className="border-t border-line px-4 py-3 text-ink-3">
                    {t('tasks.narrow', { shown: items.length, total })}
                  </p>
                )}
              </>
            );
          }}
        </QueryView>
      </Card>
      {deleting && (
        <DeleteTaskDialog task={deleting} onClose={() => setDeleting(null)} onDeleted={() => setDeleting(null)} />
      )}
    </>
  );
}
