import { Link } from '@tanstack/react-router';
import { describeError } from '../api/error-message.ts';
import type { LastVerified, VerifyRow } from '../api/types.ts';
import { useVerifications, type VerifyFilter } from '../api/verify-queries.ts';
import { formatDateTime, formatDuration } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { EmptyState } from '../ui/Card.tsx';
import { type Column, rowLink } from '../ui/DataTable.tsx';
import { PagedTable } from './PagedTable.tsx';
import { paths } from './paths.ts';
import { RunProgress } from './RunProgress.tsx';
import { RecordStatusBadge } from './Status.tsx';
import { Time } from './Time.tsx';

/** Damage that was found is another thing than a verification that could not run. */
export function VerificationBadge({ record }: { record: Pick<VerifyRow, 'status' | 'problemCount'> }) {
  const isDamaged = record.status === 'failed' && record.problemCount > 0;
  const word = isDamaged ? t('verify.damaged') : record.status === 'success' ? t('verify.passed') : undefined;
  return <RecordStatusBadge status={record.status} word={word} />;
}

/** What the last verification of a record or a task said, in words. */
export function lastVerifiedWords(last: LastVerified | null | undefined): string {
  if (!last) return t('verify.never');
  const values = { mode: t(`verify.${last.mode}`), time: formatDateTime(last.at) };
  return last.status === 'success' ? t('verify.lastGood', values) : t('verify.lastBad', values);
}

const failureOf = ({ errorCode, errorMessage, errorHint }: VerifyRow): string =>
  describeError(errorCode, errorMessage, errorHint).what;

function columns(): readonly Column<VerifyRow>[] {
  return [
    {
      id: 'name',
      title: t('task.task'),
      lead: true,
      cell: (record) => (
        <div className="min-w-0">
          <Link to={paths.verification(record.id)} className={rowLink}>
            {record.taskName}
          </Link>
          <p className="max-w-96 truncate text-[13px] text-ink-3" title={record.summary}>
            {record.summary || failureOf(record) || record.nodeName}
          </p>
        </div>
      ),
    },
    { id: 'status', title: t('task.state'), cell: (record) => <VerificationBadge record={record} /> },
    { id: 'mode', title: t('verify.mode'), hideBelow: 'lg', cell: (record) => t(`verify.${record.mode}`) },
    { id: 'started', title: t('record.started'), nowrap: true, cell: (record) => <Time at={record.startedAt} /> },
    {
      id: 'duration',
      title: t('record.duration'),
      hideBelow: 'lg',
      cell: (record) =>
        record.status === 'running' ? (
          <div className="w-full sm:w-52">
            <RunProgress kind="verify" id={record.id} known={record.progress} compact />
          </div>
        ) : (
          formatDuration(record.durationSeconds)
        ),
    },
  ];
}

/** Proofs that backups can be restored, newest first. */
export function VerificationTable({ filter }: { filter: VerifyFilter }) {
  return (
    <PagedTable
      query={useVerifications(filter)}
      columns={columns()}
      label={t('verify.verifications')}
      empty={<EmptyState icon="shield" title={t('verify.none')} text={t('verify.noneText')} />}
      loadingRows={4}
    />
  );
}
