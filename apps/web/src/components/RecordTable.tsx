import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { type RecordFilter, useRecords } from '../api/queries.ts';
import type { RecordRow } from '../api/types.ts';
import { formatBytes, formatDuration } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { EmptyState } from '../ui/Card.tsx';
import { type Column, rowLink } from '../ui/DataTable.tsx';
import { Icon } from '../ui/Icon.tsx';
import { PagedTable } from './PagedTable.tsx';
import { paths } from './paths.ts';
import { RunProgress } from './RunProgress.tsx';
import { RecordStatusBadge } from './Status.tsx';
import { Time } from './Time.tsx';

function columns(withTask: boolean): readonly Column<RecordRow>[] {
  return [
    {
      id: 'name',
      title: withTask ? t('task.task') : t('record.run'),
      lead: true,
      cell: (record) => (
        <div className="min-w-0">
          <Link to={paths.record(record.id)} className={rowLink}>
            {withTask ? record.taskName : t('record.number', { id: String(record.id) })}
          </Link>
          <p className="text-[13px] text-ink-3">
            {withTask && `${record.nodeName} · `}
            {t(`trigger.${record.trigger}`)}
          </p>
        </div>
      ),
    },
    {
      id: 'status',
      title: t('task.state'),
      cell: (record) => (
        <span className="flex items-center gap-2">
          <RecordStatusBadge status={record.status} />
          {record.locked && (
            <span className="inline-flex text-ink-3" title={t('record.locked')}>
              <Icon name="lock" size={14} />
              <span className="sr-only">{t('record.locked')}</span>
            </span>
          )}
        </span>
      ),
    },
    { id: 'started', title: t('record.started'), nowrap: true, cell: (record) => <Time at={record.startedAt} /> },
    {
      id: 'duration',
      title: t('record.duration'),
      hideBelow: 'lg',
      cell: (record) =>
        record.status === 'running' ? (
          <div className="w-full sm:w-52">
            <RunProgress kind="record" id={record.id} known={record.progress} compact />
          </div>
        ) : (
          formatDuration(record.durationSeconds)
        ),
    },
    {
      id: 'size',
      title: t('record.size'),
      end: true,
      nowrap: true,
      cell: (record) => (
        <span className="tabular-nums">{record.fileSize > 0 ? formatBytes(record.fileSize) : '–'}</span>
      ),
    },
  ];
}

/** Backup records, newest first, fifty at a time. */
export function RecordTable({ filter, title, empty }: { filter: RecordFilter; title?: string; empty?: ReactNode }) {
  return (
    <PagedTable
      query={useRecords(filter)}
      columns={columns(filter.taskId === undefined || !title)}
      label={title ?? t('nav.activity')}
      title={title}
      empty={empty ?? <EmptyState icon="activity" title={t('activity.none')} />}
    />
  );
}
