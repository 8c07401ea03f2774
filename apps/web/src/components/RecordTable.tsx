import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { type RecordFilter, useRecords } from '../api/queries.ts';
import type { RecordRow } from '../api/types.ts';
import { formatBytes, formatDuration } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Card, EmptyState } from '../ui/Card.tsx';
import { type Column, DataTable, rowLink } from '../ui/DataTable.tsx';
import { Icon } from '../ui/Icon.tsx';
import { LoadMore } from './LoadMore.tsx';
import { paths } from './paths.ts';
import { QueryView } from './QueryView.tsx';
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
  const query = useRecords(filter);
  return (
    <Card title={title} flush>
      <QueryView query={query} rows={6}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          if (rows.length === 0) return empty ?? <EmptyState icon="activity" title={t('activity.none')} />;
          return (
            <>
              <DataTable
                label={title ?? t('nav.activity')}
                columns={columns(filter.taskId === undefined || !title)}
                rows={rows}
                rowKey={(row) => row.id}
              />
              <LoadMore query={query} />
            </>
          );
        }}
      </QueryView>
    </Card>
  );
}
