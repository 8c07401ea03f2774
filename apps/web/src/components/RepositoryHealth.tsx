import { Link } from '@tanstack/react-router';
import { useMaintenanceRecords } from '../api/repository-queries.ts';
import type { Repository } from '../api/types.ts';
import { useNow } from '../api/use-now.ts';
import { t } from '../i18n/i18n.ts';
import { buttonClass } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';
import { paths } from './paths.ts';
import { Badge } from './Status.tsx';
import { Time } from './Time.tsx';

const HOUR_MS = 3_600_000;

/** A day late: what waits for the installation's quiet hours is not overdue. */
export function isOverdue(nextAt: string | null, nowMs: number): boolean {
  return nextAt !== null && Date.parse(nextAt) < nowMs - 24 * HOUR_MS;
}

/** When it was last checked, what came of it, and whether the next check is late. */
export function LastCheck({ repository }: { repository: Repository }) {
  const present = useNow();
  const { lastCheckAt, lastCheckOk, nextCheckAt, problemCount } = repository;
  const isLate = isOverdue(nextCheckAt, present);
  const word = problemCount > 0 ? t('problems.count', { count: problemCount }) : t('repository.checkFailed');
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2 gap-y-1">
      {lastCheckOk === true && <Badge look={{ tone: 'ok', icon: 'check-circle' }} word={t('repository.clean')} />}
      {lastCheckOk === false && <Badge look={{ tone: 'bad', icon: 'x-circle' }} word={word} />}
      {isLate && <Badge look={{ tone: 'warn', icon: 'clock' }} word={t('repository.overdue')} />}
      <span className="text-ink-2">
        <Time at={lastCheckAt} empty={t('repository.neverChecked')} />
      </span>
    </span>
  );
}

/** As loud as a backup that failed: what is wrong, and the way to the list of it. */
export function DamageNotice({ repository }: { repository: Repository }) {
  const checks = useMaintenanceRecords({ repositoryId: repository.id, kind: 'check' });
  const found = checks.data?.pages.flatMap((page) => page.items).find((record) => record.problemCount > 0);
  return (
    <Callout
      tone="bad"
      icon="x-circle"
      role="alert"
      title={t('repository.damagedTitle', { name: repository.name })}
      actions={
        found && (
          <Link to={paths.maintenanceRecord(found.id)} className={buttonClass('secondary', true)}>
            {t('repository.seeDamage')}
          </Link>
        )
      }
    >
      {t('repository.damagedText', { count: Math.max(1, repository.problemCount) })}
    </Callout>
  );
}
