import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { describeError } from '../../api/error-message.ts';
import { useUser } from '../../api/session.ts';
import type { Overview, OverviewException, OverviewTask, RecordRow } from '../../api/types.ts';
import { paths } from '../../components/paths.ts';
import { Badge, exceptionLooks } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { useRunTask, useToggleTask } from '../../components/task-actions.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';

/** As many as one screen takes in; the rest is a press away. */
const SHOWN = 8;

/** The one thing to do about an exception. */
function Action({ exception }: { exception: OverviewException }) {
  const user = useUser();
  const run = useRunTask();
  const toggle = useToggleTask();
  const { reason, recordId, taskId, taskName } = exception;
  const link = (to: string, label: string) => (
    <Link to={to} className={`${buttonClass('secondary', true)} relative z-10`}>
      {label}
    </Link>
  );
  if (reason === 'repository_damaged') return link(paths.repositories, t('repository.seeDamage'));
  if (reason === 'verify_failed') return link(paths.activityTab('verifications'), t('overview.seeWhy'));
  if (reason === 'node_offline') return link(paths.servers, t('overview.seeServers'));
  if ((reason === 'failed' || reason === 'warning') && recordId !== null)
    return link(paths.record(recordId), t('overview.seeWhy'));
  if (!user.can('operator')) return link(paths.task(taskId), t('overview.open'));
  if (reason === 'disabled') {
    return (
      <Button small onClick={() => toggle({ id: taskId, name: taskName }, true)}>
        {t('task.enable')}
      </Button>
    );
  }
  return (
    <Button small icon="play" busy={run.isPending} onClick={() => run.start(taskId)}>
      {t('task.runNow')}
    </Button>
  );
}

type Damaged = Overview['repositories']['damaged'][number];
type Neglected = Overview['repositories']['neglected'][number];

interface RepositoryNote {
  readonly repository: { readonly id: number; readonly name: string };
  readonly badge: ReactNode;
  readonly text: string;
  readonly at: ReactNode;
  readonly action: { readonly to: string; readonly label: string };
}

function RepositoryRow({ repository, badge, text, at, action }: RepositoryNote) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
      <div className="min-w-0 flex-1 basis-56">
        <div className="flex flex-wrap items-center gap-2">
          <Link to={paths.repository(repository.id)} className="font-medium [overflow-wrap:anywhere] hover:underline">
            {repository.name}
          </Link>
          {badge}
        </div>
        <p className="mt-0.5 text-[13px] text-ink-2">
          {text}
          {at && (
            <span className="text-ink-3">
              {' · '}
              {at}
            </span>
          )}
        </p>
      </div>
      <Link to={action.to} className={`${buttonClass('secondary', true)} relative z-10`}>
        {action.label}
      </Link>
    </li>
  );
}

/** A repository that a check found damaged: everything in it is in doubt. */
function DamagedRow({ repository }: { repository: Damaged }) {
  const look = exceptionLooks.repository_damaged;
  return (
    <RepositoryRow
      repository={repository}
      badge={<Badge look={look} word={t(look.word as 'exception.failed')} />}
      text={t('repository.damagedShort', { count: Math.max(1, repository.problemCount) })}
      at={
        repository.since && (
          <>
            {t('overview.since')} <Time at={repository.since} />
          </>
        )
      }
      action={{ to: paths.repositoryTab(repository.id, 'maintenance'), label: t('repository.seeDamage') }}
    />
  );
}

const neglectLooks = {
  failed: { tone: 'bad', icon: 'x-circle' },
  overdue: { tone: 'warn', icon: 'clock' },
} as const;

/** A repository that nobody looks after: whether its copies are sound is not known. */
function NeglectedRow({ repository }: { repository: Neglected }) {
  const { id, work, reason, at, maintenanceRecordId } = repository;
  const action =
    maintenanceRecordId === null
      ? { to: paths.repositoryTab(id, 'maintenance'), label: t('overview.open') }
      : { to: paths.maintenanceRecord(maintenanceRecordId), label: t('overview.seeWhy') };
  return (
    <RepositoryRow
      repository={repository}
      badge={<Badge look={neglectLooks[reason]} word={t(`neglect.${work}.${reason}`)} />}
      text={t(`neglectText.${work}.${reason}`)}
      at={
        <>
          {t(`neglectAt.${reason}`)} <Time at={at} />
        </>
      }
      action={action}
    />
  );
}

/** Only what needs somebody, worst first, each with one action. */
export function Exceptions({
  exceptions,
  damaged,
  neglected,
  tasks,
  failures,
}: {
  exceptions: readonly OverviewException[];
  damaged: readonly Damaged[];
  neglected: readonly Neglected[];
  tasks: readonly OverviewTask[];
  /** Give the cause in words when one of them is the reason. */
  failures: readonly RecordRow[];
}) {
  const [isFull, setFull] = useState(false);
  if (exceptions.length + damaged.length + neglected.length === 0) return null;
  const shown = isFull || exceptions.length <= SHOWN + 2 ? exceptions : exceptions.slice(0, SHOWN);
  const words = ({ reason, recordId, taskId }: OverviewException) => {
    const record = failures.find((item) => item.id === recordId);
    if (record?.errorMessage) return describeError(record.errorCode, record.errorMessage, record.errorHint).what;
    return t(`exceptionText.${reason}`, { node: tasks.find((item) => item.id === taskId)?.nodeName ?? '' });
  };
  return (
    <Card title={t('overview.exceptions')} flush>
      <ul className="divide-y divide-line">
        {damaged.map((repository) => (
          <DamagedRow key={repository.id} repository={repository} />
        ))}
        {neglected.map((repository) => (
          <NeglectedRow key={`${repository.id} ${repository.work}`} repository={repository} />
        ))}
        {shown.map((exception) => {
          const look = exceptionLooks[exception.reason];
          return (
            <li
              key={`${exception.taskId} ${exception.reason}`}
              className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5"
            >
              <div className="min-w-0 flex-1 basis-56">
                <div className="flex flex-wrap items-center gap-2">
                  <Link
                    to={paths.task(exception.taskId)}
                    className="font-medium [overflow-wrap:anywhere] hover:underline"
                  >
                    {exception.taskName}
                  </Link>
                  <Badge look={look} word={t(look.word as 'exception.failed')} />
                </div>
                <p className="mt-0.5 text-[13px] [overflow-wrap:anywhere] text-ink-2">
                  {words(exception)}
                  {exception.since && (
                    <span className="text-ink-3">
                      {' · '}
                      {t('overview.since')} <Time at={exception.since} />
                    </span>
                  )}
                </p>
              </div>
              <Action exception={exception} />
            </li>
          );
        })}
      </ul>
      {shown.length < exceptions.length && (
        <div className="border-t border-line p-2 text-center">
          <Button kind="ghost" small onClick={() => setFull(true)}>
            {t('overview.showAll', { count: exceptions.length })}
          </Button>
        </div>
      )}
    </Card>
  );
}
