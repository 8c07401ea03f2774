import { Link, useNavigate } from '@tanstack/react-router';
import { useChange } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Overview } from '../../api/types.ts';
import { paths } from '../../components/paths.ts';
import { Time } from '../../components/Time.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** More than these are in the list of tasks. */
const SHOWN = 5;

/** Starts a quick verification of the newest backup of a task and goes to its page. */
function VerifyNow({ taskId, taskName }: { taskId: number; taskName: string }) {
  const navigate = useNavigate();
  const start = useChange('verifications.startForTask', ['verifications', 'overview', 'task', 'tasks']);
  const begin = () =>
    start.mutate(
      { params: { id: taskId }, body: {} },
      { onSuccess: ({ id }) => void navigate({ to: paths.verification(id) }), onError: toastError },
    );
  return (
    <Button
      small
      icon="shield"
      busy={start.isPending}
      onClick={begin}
      aria-label={t('verify.nowOf', { name: taskName })}
    >
      {t('verify.now')}
    </Button>
  );
}

function LastFailed({ failed }: { failed: NonNullable<Overview['verification']['lastFailed']> }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
      <Icon name="x-circle" className="shrink-0 text-bad" />
      <p className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">
        {t('verify.lastFailed', { name: failed.taskName })}{' '}
        <span className="text-[13px] text-ink-3">
          <Time at={failed.at} />
        </span>
      </p>
      <Link to={paths.verification(failed.id)} className={buttonClass('secondary', true)}>
        {t('overview.seeWhy')}
      </Link>
    </li>
  );
}

/** Whether what was backed up has been proven: what failed, what nobody ever looked at. Nothing when all is well. */
export function RestoreTests({ overview }: { overview: Overview }) {
  const user = useUser();
  const { never, lastFailed } = overview.verification;
  if (never === 0 && lastFailed === null) return null;
  const unproven = overview.tasks.filter((task) => task.lastSuccessAt !== null && task.lastVerified === null);
  return (
    <Card
      title={t('verify.verifications')}
      note={never > 0 ? t('verify.neverCount', { count: never }) : undefined}
      flush
      actions={
        <Link to={paths.activityTab('verifications')} className={buttonClass('ghost', true)}>
          {t('verify.all')}
        </Link>
      }
    >
      <ul className="divide-y divide-line">
        {lastFailed && <LastFailed failed={lastFailed} />}
        {unproven.slice(0, SHOWN).map((task) => (
          <li key={task.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
            <Icon name="shield" className="shrink-0 text-ink-3" />
            <p className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">
              <Link to={paths.task(task.id)} className="font-medium hover:underline">
                {task.name}
              </Link>{' '}
              <span className="text-[13px] text-ink-3">{t('verify.neverTask')}</span>
            </p>
            {user.can('operator') && <VerifyNow taskId={task.id} taskName={task.name} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}
