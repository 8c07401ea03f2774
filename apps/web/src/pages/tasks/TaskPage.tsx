import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useSettings, useTask } from '../../api/queries.ts';
import { useRepositories } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { Task } from '../../api/types.ts';
import { repositoryOfTask } from '../../components/own-repository.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecordTable } from '../../components/RecordTable.tsx';
import { retentionWords } from '../../components/retention-words.ts';
import { RepositoryStateBadge, TaskStateBadge } from '../../components/Status.tsx';
import { sourceWords } from '../../components/source-words.ts';
import { Time } from '../../components/Time.tsx';
import { DeleteTaskDialog, useRunTask, useToggleTask } from '../../components/task-actions.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { lastVerifiedWords } from '../../components/VerificationTable.tsx';
import { cronWords } from '../../i18n/cron-words.ts';
import { formatDateTime, formatList } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { Switch } from '../../ui/Field.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** Where its snapshots go, with its state; the first run makes it. */
function TaskRepository({ task }: { task: Task }) {
  const repositories = useRepositories();
  const repository = repositories.data && repositoryOfTask(repositories.data, task);
  if (!repository) return <span className="text-ink-3">{repositories.data ? t('mode.madeByFirstRun') : ''}</span>;
  return (
    <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
      <Link to={paths.repository(repository.id)} className="text-accent-ink hover:underline">
        {repository.name}
      </Link>
      <RepositoryStateBadge repository={repository} />
    </span>
  );
}

function Summary({ task }: { task: Task }) {
  const settings = useSettings();
  const zone = task.timezone || (settings.data?.timezone ?? '');
  const isRepository = task.backupMode === 'repository';
  const words = cronWords(task.cronExpr) ?? task.cronExpr;
  const pathList = (
    <ul className="font-mono text-[13px]">
      {task.sourcePaths.map((path) => (
        <li key={path}>{path}</li>
      ))}
    </ul>
  );
  return (
    <Facts
      items={[
        [t('task.server'), task.nodeName],
        task.sourcePaths.length > 0 ? [t('task.paths'), pathList] : [t('source.what'), sourceWords(task)],
        task.excludePatterns.length > 0
          ? [
              t('task.excludes'),
              <span key="e" className="font-mono text-[13px]">
                {task.excludePatterns.join('  ')}
              </span>,
            ]
          : null,
        [t('task.schedule'), task.cronExpr ? t('schedule.inZone', { words, zone }) : words],
        [
          t('task.nextRun'),
          task.nextRunAt && task.enabled ? (
            <span key="n">
              <Time at={task.nextRunAt} /> <span className="text-ink-3">{formatDateTime(task.nextRunAt)}</span>
            </span>
          ) : (
            t('task.byHand')
          ),
        ],
        [t('task.targets'), formatList(task.storageTargetNames)],
        isRepository ? [t('repository.repository'), <TaskRepository key="r" task={task} />] : null,
        isRepository ? null : [t('task.compression'), t(`compression.${task.compression}`)],
        [t('record.encrypted'), isRepository || task.encrypt ? t('word.yes') : t('word.no')],
        [t('task.retention'), retentionWords(task)],
        [t('verify.last'), lastVerifiedWords(task.lastVerified)],
      ]}
    />
  );
}

function Actions({ task, onDelete }: { task: Task; onDelete: () => void }) {
  const run = useRunTask();
  const toggle = useToggleTask();
  return (
    <>
      <span className="flex items-center gap-2 text-ink-2">
        <Switch
          checked={task.enabled}
          label={t('task.scheduleOn', { name: task.name })}
          onChange={(on) => toggle(task, on)}
        />
        {task.enabled ? t('task.on') : t('task.off')}
      </span>
      <Button icon="trash" kind="ghost" onClick={onDelete}>
        {t('action.delete')}
      </Button>
      {task.lastSuccessAt && (
        <Link to={paths.restoreTask(task.id)} className={buttonClass()}>
          <Icon name="restore" />
          {t('restore.action')}
        </Link>
      )}
      <Link to={paths.editTask(task.id)} className={buttonClass()}>
        <Icon name="edit" />
        {t('action.edit')}
      </Link>
      <Button
        kind="primary"
        icon="play"
        busy={run.isPending}
        disabled={task.lastRun?.status === 'running'}
        onClick={() => run.start(task.id)}
      >
        {t('task.runNow')}
      </Button>
    </>
  );
}

/** One task: what it is set to, and its runs. */
export default function TaskPage() {
  const id = useIdParam();
  const user = useUser();
  const navigate = useNavigate();
  const query = useTask(id);
  const [isDeleting, setDeleting] = useState(false);
  return (
    <QueryView query={query}>
      {(task) => (
        <>
          <PageHeader
            title={task.name}
            note={
              <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <TaskStateBadge task={task} />
                <span>
                  {t('task.lastSuccess')}: <Time at={task.lastSuccessAt} empty={t('task.never')} />
                </span>
              </span>
            }
            back={{ to: paths.tasks, label: t('nav.tasks') }}
            actions={user.can('operator') && <Actions task={task} onDelete={() => setDeleting(true)} />}
          />
          <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
            <RecordTable filter={{ taskId: task.id }} title={t('task.runs')} />
            <Card title={t('task.settings')} className="max-xl:order-first">
              <Summary task={task} />
            </Card>
          </div>
          {isDeleting && (
            <DeleteTaskDialog
              task={task}
              onClose={() => setDeleting(false)}
              onDeleted={() => void navigate({ to: paths.tasks })}
            />
          )}
        </>
      )}
    </QueryView>
  );
}
