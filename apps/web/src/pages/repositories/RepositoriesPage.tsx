import { Link } from '@tanstack/react-router';
import { useRepositories } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { Repository } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { DamageNotice, LastCheck } from '../../components/RepositoryHealth.tsx';
import { RepositoryStateBadge } from '../../components/Status.tsx';
import { StorageNav } from '../../components/StorageNav.tsx';
import { Time } from '../../components/Time.tsx';
import { formatBytes } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable, rowLink } from '../../ui/DataTable.tsx';
import { Icon } from '../../ui/Icon.tsx';

function columns(): readonly Column<Repository>[] {
  return [
    {
      id: 'name',
      title: t('repository.repository'),
      lead: true,
      cell: (repository) => (
        <div className="min-w-0">
          <Link to={paths.repository(repository.id)} className={rowLink}>
            {repository.name}
          </Link>
          <p className="max-w-72 truncate font-mono text-xs text-ink-3" title={repository.location}>
            {repository.location}
          </p>
        </div>
      ),
    },
    { id: 'state', title: t('task.state'), cell: (repository) => <RepositoryStateBadge repository={repository} /> },
    { id: 'node', title: t('task.server'), hideBelow: 'xl', cell: ({ nodeName }) => nodeName || '–' },
    { id: 'storage', title: t('task.targets'), hideBelow: 'xl', cell: ({ storageTargetName }) => storageTargetName },
    {
      id: 'size',
      title: t('record.size'),
      end: true,
      nowrap: true,
      cell: ({ storedBytes, recordCount }) => (
        <div className="text-right">
          <p className="tabular-nums">{formatBytes(storedBytes)}</p>
          <p className="text-[13px] text-ink-3">{t('storage.records', { count: recordCount })}</p>
        </div>
      ),
    },
    { id: 'check', title: t('repository.lastCheck'), cell: (repository) => <LastCheck repository={repository} /> },
    {
      id: 'prune',
      title: t('repository.lastPrune'),
      hideBelow: 'lg',
      cell: ({ lastPruneAt }) => <Time at={lastPruneAt} empty={t('task.never')} />,
    },
  ];
}

/** Every repository: where, how big, and whether it is sound. */
export default function RepositoriesPage() {
  const user = useUser();
  const query = useRepositories();
  const add = user.can('operator') && (
    <Link to={paths.newRepository} className={buttonClass('primary')}>
      <Icon name="plus" />
      {t('repository.add')}
    </Link>
  );
  return (
    <>
      <PageHeader title={t('nav.storage')} note={t('repository.note')} actions={add} />
      <StorageNav />
      <QueryView query={query} rows={6}>
        {(repositories) => (
          <div className="space-y-5">
            {repositories
              .filter((repository) => repository.state === 'damaged')
              .map((repository) => (
                <DamageNotice key={repository.id} repository={repository} />
              ))}
            <Card flush>
              {repositories.length === 0 ? (
                <EmptyState
                  icon="storage"
                  title={t('repository.empty')}
                  text={t('repository.emptyText')}
                  action={add}
                />
              ) : (
                <DataTable
                  label={t('repository.repositories')}
                  columns={columns()}
                  rows={repositories}
                  rowKey={(repository) => repository.id}
                />
              )}
            </Card>
          </div>
        )}
      </QueryView>
    </>
  );
}
