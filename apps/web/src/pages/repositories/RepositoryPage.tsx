import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useRepository } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { Repository } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { DamageNotice, LastCheck } from '../../components/RepositoryHealth.tsx';
import { RepositoryKitReminder } from '../../components/RepositoryKit.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { RepositoryStateBadge } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatBytes } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Card, Facts } from '../../ui/Card.tsx';
import { type TabItem, Tabs } from '../../ui/Tabs.tsx';
import { AccessTab } from './AccessTab.tsx';
import { CompareTab } from './CompareTab.tsx';
import { FindTab } from './FindTab.tsx';
import { MaintenanceTab } from './MaintenanceTab.tsx';
import { RepositorySettingsTab } from './RepositorySettingsTab.tsx';
import { SnapshotsTab } from './SnapshotsTab.tsx';

function RepositoryFacts({ repository, className }: { repository: Repository; className: string }) {
  const { nodeName, storageTargetName, location, storedBytes, recordCount, lastPruneAt } = repository;
  return (
    <Card className={className}>
      <div className="grid gap-x-8 gap-y-2.5 md:grid-cols-2">
        <Facts
          items={[
            nodeName ? [t('task.server'), nodeName] : null,
            [t('task.targets'), storageTargetName],
            [
              t('repository.location'),
              <span key="l" className="font-mono text-[13px]">
                {location}
              </span>,
            ],
          ]}
        />
        <Facts
          items={[
            [
              t('record.size'),
              t('repository.sizeText', {
                size: formatBytes(storedBytes),
                backups: t('storage.records', { count: recordCount }),
              }),
            ],
            [t('repository.lastCheck'), <LastCheck key="c" repository={repository} />],
            [t('repository.lastPrune'), <Time key="p" at={lastPruneAt} empty={t('task.never')} />],
          ]}
        />
      </div>
    </Card>
  );
}

function RunningMaintenance({ id }: { id: number }) {
  return (
    <Card
      title={t('repository.workRuns')}
      actions={
        <Link to={paths.maintenanceRecord(id)} className="text-accent-ink hover:underline">
          {t('first.openRecord')}
        </Link>
      }
    >
      <RunProgress kind="maintenance" id={id} known={null} compact />
    </Card>
  );
}

function tabsFor(repository: Repository, can: (role: 'operator' | 'admin') => boolean): readonly TabItem[] {
  return [
    { id: 'snapshots', label: t('snapshot.snapshots'), content: <SnapshotsTab repository={repository} /> },
    { id: 'find', label: t('find.title'), content: <FindTab repository={repository} /> },
    { id: 'compare', label: t('diff.title'), content: <CompareTab repository={repository} /> },
    {
      id: 'maintenance',
      label: t('maintenance.maintenance'),
      content: <MaintenanceTab repository={repository} />,
    },
    ...(can('admin')
      ? [{ id: 'access', label: t('repository.access'), content: <AccessTab repository={repository} /> }]
      : []),
    ...(can('operator')
      ? [
          {
            id: 'settings',
            label: t('task.settings'),
            content: <RepositorySettingsTab key={repository.id} repository={repository} />,
          },
        ]
      : []),
  ];
}

/** One repository: its health first, then what lies in it and what can be done. */
export default function RepositoryPage() {
  const id = useIdParam();
  const user = useUser();
  const navigate = useNavigate();
  const query = useRepository(id);
  const { tab } = useParams({ strict: false }) as { tab?: string };
  return (
    <QueryView query={query}>
      {(repository) => {
        const items = tabsFor(repository, user.can);
        const current = items.some((item) => item.id === tab) ? (tab ?? 'snapshots') : 'snapshots';
        return (
          <>
            <PageHeader
              title={repository.name}
              note={<RepositoryStateBadge repository={repository} />}
              back={{ to: paths.repositories, label: t('repository.repositories') }}
            />
            <div className="space-y-5">
              {repository.state === 'damaged' && <DamageNotice repository={repository} />}
              <RepositoryKitReminder repositoryId={repository.id} />
              {repository.runningMaintenanceId !== null && <RunningMaintenance id={repository.runningMaintenanceId} />}
              {/* On a phone they stand on the first tab only: the others are opened for what is below. */}
              <RepositoryFacts repository={repository} className={current === 'snapshots' ? '' : 'max-sm:hidden'} />
              <Tabs
                label={repository.name}
                value={current}
                onChange={(next) => void navigate({ to: paths.repositoryTab(repository.id, next) })}
                items={items}
              />
            </div>
          </>
        );
      }}
    </QueryView>
  );
}
