import { Link } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { type SnapshotFilter, useSnapshots } from '../../api/repository-queries.ts';
import type { Repository, RepositorySnapshot } from '../../api/types.ts';
import { LoadMore } from '../../components/LoadMore.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { Time } from '../../components/Time.tsx';
import { formatBytes, formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable, rowLink } from '../../ui/DataTable.tsx';
import { SelectField, TextField } from '../../ui/Field.tsx';
import { Icon } from '../../ui/Icon.tsx';

function columns(repositoryId: number): readonly Column<RepositorySnapshot>[] {
  return [
    {
      id: 'time',
      title: t('snapshot.snapshot'),
      lead: true,
      cell: (snapshot) => (
        <div className="min-w-0">
          <Link to={paths.snapshot(repositoryId, snapshot.id)} className={rowLink}>
            {formatDateTime(snapshot.time)}
          </Link>
          <p className="text-[13px] text-ink-3">
            <span className="font-mono text-xs">{snapshot.id.slice(0, 8)}</span> · <Time at={snapshot.time} />
          </p>
          {snapshot.isTimeSuspect && (
            <p className="mt-0.5 flex items-center gap-1.5 text-[13px] text-warn">
              <Icon name="alert" size={13} />
              {t('snapshot.timeSuspect', { time: snapshot.arrivedAt ? formatDateTime(snapshot.arrivedAt) : '–' })}
            </p>
          )}
        </div>
      ),
    },
    {
      id: 'from',
      title: t('snapshot.from'),
      cell: ({ hostname, paths: folders }) => (
        <div className="min-w-0 max-sm:text-right">
          <p>{hostname}</p>
          <p className="max-w-64 truncate font-mono text-xs text-ink-3" title={folders.join('\n')}>
            {folders.join(', ')}
          </p>
        </div>
      ),
    },
    {
      id: 'task',
      title: t('snapshot.madeBy'),
      hideBelow: 'lg',
      cell: ({ recordId, taskName, programVersion }) =>
        recordId === null ? (
          <span className="text-ink-3">{programVersion || t('snapshot.otherProgram')}</span>
        ) : (
          <Link to={paths.record(recordId)} className="relative z-10 hover:underline">
            {taskName}
          </Link>
        ),
    },
    {
      id: 'tags',
      title: t('snapshot.tags'),
      hideBelow: 'xl',
      cell: ({ tags }) => <span className="text-[13px] text-ink-2">{tags.join(', ') || '–'}</span>,
    },
    {
      id: 'size',
      title: t('record.size'),
      end: true,
      nowrap: true,
      cell: ({ summary }) =>
        summary ? (
          <div className="text-right tabular-nums">
            <p>{formatBytes(summary.bytesProcessed)}</p>
            <p className="text-[13px] text-ink-3">
              {t('snapshot.addedShort', { size: formatBytes(summary.bytesAdded) })}
            </p>
          </div>
        ) : (
          '–'
        ),
    },
  ];
}

function Filters({
  filter,
  hostnames,
  onChange,
}: {
  filter: SnapshotFilter;
  hostnames: readonly string[];
  onChange: (filter: SnapshotFilter) => void;
}) {
  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-3">
      <SelectField
        label={t('snapshot.host')}
        value={filter.hostname ?? ''}
        onChange={(hostname) => onChange({ ...filter, hostname })}
        options={[
          { value: '', label: t('snapshot.allHosts') },
          ...hostnames.map((name) => ({ value: name, label: name })),
        ]}
      />
      <TextField
        label={t('snapshot.tag')}
        value={filter.tag ?? ''}
        onChange={(tag) => onChange({ ...filter, tag })}
        spellCheck={false}
        autoCapitalize="none"
      />
      <TextField
        label={t('snapshot.path')}
        value={filter.path ?? ''}
        onChange={(path) => onChange({ ...filter, path })}
        className="font-mono text-[13px]"
        placeholder="/srv/www"
        spellCheck={false}
        autoCapitalize="none"
      />
    </div>
  );
}

/** What lies in the repository, newest first, whoever put it there. */
export function SnapshotsTab({ repository }: { repository: Repository }) {
  const [filter, setFilter] = useState<SnapshotFilter>({});
  const typed = useDeferredValue(filter);
  const query = useSnapshots(repository.id, { ...typed, tag: typed.tag?.trim(), path: typed.path?.trim() });
  if (repository.state === 'new') {
    return (
      <Card flush>
        <EmptyState icon="history" title={t('snapshot.none')} text={t('repository.newText')} />
      </Card>
    );
  }
  const hasFilter = Object.values(typed).some(Boolean);
  return (
    <>
      <Filters filter={filter} hostnames={query.data?.pages[0]?.hostnames ?? []} onChange={setFilter} />
      <Card flush>
        <QueryView query={query} rows={6}>
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.items);
            if (rows.length === 0)
              return <EmptyState icon="history" title={hasFilter ? t('snapshot.noMatch') : t('snapshot.none')} />;
            return (
              <>
                <DataTable
                  label={t('snapshot.snapshots')}
                  columns={columns(repository.id)}
                  rows={rows}
                  rowKey={(row) => row.id}
                />
                <LoadMore query={query} />
              </>
            );
          }}
        </QueryView>
      </Card>
    </>
  );
}
