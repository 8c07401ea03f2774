import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { itemsOf, useRestores, useTasks } from '../../api/queries.ts';
import type { RecordStatus, RestoreRow } from '../../api/types.ts';
import { MaintenanceTable } from '../../components/MaintenanceTable.tsx';
import { PagedTable } from '../../components/PagedTable.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { RecordTable } from '../../components/RecordTable.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { VerificationTable } from '../../components/VerificationTable.tsx';
import { formatDuration, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { EmptyState } from '../../ui/Card.tsx';
import { type Column, rowLink } from '../../ui/DataTable.tsx';
import { SelectField } from '../../ui/Field.tsx';
import { Tabs } from '../../ui/Tabs.tsx';

const STATUSES: readonly RecordStatus[] = ['running', 'success', 'warning', 'failed', 'cancelled', 'interrupted'];

const TABS = ['backups', 'restores', 'verifications', 'maintenance'];

interface Filter {
  taskId?: number;
  status?: RecordStatus;
}

function restoreColumns(): readonly Column<RestoreRow>[] {
  return [
    {
      id: 'name',
      title: t('task.task'),
      lead: true,
      cell: (record) => (
        <div className="min-w-0">
          <Link to={paths.restoreRecord(record.id)} className={rowLink}>
            {record.taskName}
          </Link>
          <p className="max-w-80 truncate text-[13px] text-ink-3" title={record.targetPath}>
            {record.dryRun && `${t('restore.dryRun')} · `}
            {record.nodeName} · <span className="font-mono text-xs">{record.targetPath || t('restore.original')}</span>
          </p>
        </div>
      ),
    },
    { id: 'status', title: t('task.state'), cell: (record) => <RecordStatusBadge status={record.status} /> },
    { id: 'started', title: t('record.started'), cell: (record) => <Time at={record.startedAt} /> },
    {
      id: 'duration',
      title: t('record.duration'),
      hideBelow: 'lg',
      cell: (record) => formatDuration(record.durationSeconds),
    },
    { id: 'by', title: t('restore.by'), hideBelow: 'lg', cell: (record) => record.requestedBy },
    {
      id: 'items',
      title: t('restore.items'),
      end: true,
      cell: (record) => <span className="tabular-nums">{formatNumber(record.itemsWritten)}</span>,
    },
  ];
}

function RestoreTable({ filter }: { filter: Filter }) {
  return (
    <PagedTable
      query={useRestores(filter)}
      columns={restoreColumns()}
      label={t('activity.restores')}
      empty={<EmptyState icon="restore" title={t('activity.noRestores')} text={t('activity.noRestoresText')} />}
    />
  );
}

function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const tasks = useTasks();
  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-[16rem_12rem]">
      <SelectField
        label={t('task.task')}
        value={String(filter.taskId ?? '')}
        onChange={(value) => onChange({ ...filter, taskId: value ? Number(value) : undefined })}
        options={[
          { value: '', label: t('activity.allTasks') },
          ...itemsOf(tasks.data).map((task) => ({ value: String(task.id), label: task.name })),
        ]}
      />
      <SelectField
        label={t('task.state')}
        value={filter.status ?? ''}
        onChange={(value) => onChange({ ...filter, status: (value || undefined) as RecordStatus | undefined })}
        options={[
          { value: '', label: t('activity.allStates') },
          ...STATUSES.map((id) => ({ value: id, label: t(`status.${id}`) })),
        ]}
      />
    </div>
  );
}

/** Everything that ran: backups and restores, newest first. */
export default function ActivityPage() {
  const { tab: asked } = useParams({ strict: false }) as { tab?: string };
  const [tab, setTab] = useState(TABS.find((id) => id === asked) ?? 'backups');
  const [filter, setFilter] = useState<Filter>({});
  const filters = <Filters filter={filter} onChange={setFilter} />;
  return (
    <>
      <PageHeader title={t('nav.activity')} note={t('activity.note')} />
      <Tabs
        label={t('activity.kind')}
        value={tab}
        onChange={setTab}
        items={[
          {
            id: 'backups',
            label: t('activity.backups'),
            content: (
              <>
                {filters}
                <RecordTable filter={filter} />
              </>
            ),
          },
          {
            id: 'restores',
            label: t('activity.restores'),
            content: (
              <>
                {filters}
                <RestoreTable filter={filter} />
              </>
            ),
          },
          {
            id: 'verifications',
            label: t('verify.verifications'),
            content: (
              <>
                {filters}
                <VerificationTable filter={filter} />
              </>
            ),
          },
          { id: 'maintenance', label: t('maintenance.maintenance'), content: <MaintenanceTable filter={{}} /> },
        ]}
      />
    </>
  );
}
