import { Link } from '@tanstack/react-router';
import { type MaintenanceFilter, useMaintenanceRecords } from '../api/repository-queries.ts';
import type { MaintenanceRow } from '../api/types.ts';
import { formatDuration } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { EmptyState } from '../ui/Card.tsx';
import { type Column, rowLink } from '../ui/DataTable.tsx';
import { PagedTable } from './PagedTable.tsx';
import { paths } from './paths.ts';
import { RunProgress } from './RunProgress.tsx';
import { RecordStatusBadge } from './Status.tsx';
import { Time } from './Time.tsx';

/** What found damage is as bad as a backup that failed, whatever else went well. */
export function MaintenanceBadge({ record }: { record: Pick<MaintenanceRow, 'status' | 'problemCount'> }) {
  const isBad = record.status === 'warning' && record.problemCount > 0;
  return <RecordStatusBadge status={isBad ? 'failed' : record.status} word={isBad ? t('status.damage') : undefined} />;
}

function columns(withRepository: boolean): readonly Column<MaintenanceRow>[] {
  return [
    {
      id: 'name',
      title: t('maintenance.work'),
      lead: true,
      cell: (record) => (
        <div className="min-w-0">
          <Link to={paths.maintenanceRecord(record.id)} className={rowLink}>
            {t(`maintenanceKind.${record.kind}`)}
          </Link>
          <p className="text-[13px] [overflow-wrap:anywhere] text-ink-3">
            {withRepository ? record.repositoryName : t(`trigger.${record.trigger}`)}
          </p>
        </div>
      ),
    },
    { id: 'status', title: t('task.state'), cell: (record) => <MaintenanceBadge record={record} /> },
    { id: 'started', title: t('record.started'), nowrap: true, cell: (record) => <Time at={record.startedAt} /> },
    {
      id: 'duration',
      title: t('record.duration'),
      hideBelow: 'lg',
      cell: (record) =>
        record.status === 'running' ? (
          <div className="w-full sm:w-52">
            <RunProgress kind="maintenance" id={record.id} known={record.progress} compact />
          </div>
        ) : (
          formatDuration(record.durationSeconds)
        ),
    },
    { id: 'by', title: t('restore.by'), hideBelow: 'xl', cell: (record) => record.requestedBy || '–' },
  ];
}

/** Checks, clean-ups, repairs and copies of repositories, newest first. */
export function MaintenanceTable({ filter, title }: { filter: MaintenanceFilter; title?: string }) {
  return (
    <PagedTable
      query={useMaintenanceRecords(filter)}
      columns={columns(filter.repositoryId === undefined)}
      label={title ?? t('maintenance.maintenance')}
      title={title}
      empty={<EmptyState icon="shield" title={t('maintenance.none')} text={t('maintenance.noneText')} />}
      loadingRows={4}
    />
  );
}
