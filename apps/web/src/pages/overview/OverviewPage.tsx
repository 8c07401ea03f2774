import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { describeError } from '../../api/error-message.ts';
import { useOverview } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Overview } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecoveryKitReminders } from '../../components/RepositoryKit.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { formatBytes } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { rowLink } from '../../ui/DataTable.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { Exceptions } from './Exceptions.tsx';
import { FirstBackup } from './FirstBackup.tsx';
import { ProtectionTable } from './ProtectionTable.tsx';
import { RestoreTests } from './RestoreTests.tsx';

/** The verdict in one sentence: how many are protected and how many need somebody. */
function Verdict({ overview }: { overview: Overview }) {
  const { totalTasks: total, protectedTasks, exceptions, repositories } = overview;
  const needing = exceptions.length + repositories.damaged.length + repositories.neglected.length;
  const allGood = protectedTasks === total && needing === 0;
  return (
    <div className="mb-6 flex items-start gap-4">
      <span
        className={`grid size-12 shrink-0 place-items-center rounded-2xl ${allGood ? 'bg-ok-soft text-ok' : 'bg-warn-soft text-warn'}`}
      >
        <Icon name={allGood ? 'shield' : 'alert'} size={24} />
      </span>
      <div className="min-w-0">
        <p className="text-2xl font-semibold tracking-tight text-balance">
          {allGood
            ? t('overview.allProtected', { count: total })
            : t('overview.protected', { protected: protectedTasks, total })}{' '}
          {needing > 0 && t('overview.needYou', { count: needing })}
        </p>
        <p className="mt-1 flex flex-wrap gap-x-3 text-ink-2">
          {overview.oldestGoodAt && (
            <span>
              {t('overview.oldestGood')} <Time at={overview.oldestGoodAt} />
            </span>
          )}
          <span>{t('overview.stored', { size: formatBytes(overview.storedBytes) })}</span>
          <span>{t('overview.servers', { online: overview.nodes.online, total: overview.nodes.total })}</span>
        </p>
      </div>
    </div>
  );
}

function Running({ records }: { records: Overview['running'] }) {
  if (records.length === 0) return <p className="text-ink-2">{t('overview.nothingRuns')}</p>;
  return (
    <ul className="space-y-5">
      {records.map((record) => (
        <li key={record.id} className="relative">
          <div className="mb-2 flex items-center justify-between gap-3">
            <Link to={paths.record(record.id)} className={rowLink}>
              {record.taskName}
            </Link>
            <span className="text-[13px] text-ink-3">{record.nodeName}</span>
          </div>
          <RunProgress kind="record" id={record.id} known={record.progress} compact />
        </li>
      ))}
    </ul>
  );
}

function RecentFailures({ records }: { records: Overview['recentFailures'] }) {
  if (records.length === 0) return <p className="text-ink-2">{t('overview.noFailures')}</p>;
  return (
    <ul className="space-y-4">
      {records.map((record) => (
        <li key={record.id} className="relative">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Link to={paths.record(record.id)} className={rowLink}>
              {record.taskName}
            </Link>
            <RecordStatusBadge status={record.status} />
            <span className="ml-auto text-[13px] text-ink-3">
              <Time at={record.startedAt} />
            </span>
          </div>
          <p className="mt-1 line-clamp-2 text-[13px] [overflow-wrap:anywhere] text-ink-2">
            {describeError(record.errorCode, record.errorMessage, record.errorHint).what}
          </p>
        </li>
      ))}
    </ul>
  );
}

/** "What is protected": the verdict, what needs somebody, every task, what runs now, what failed. */
export default function OverviewPage() {
  const user = useUser();
  const query = useOverview();
  const [isFirst, setFirst] = useState(false);
  return (
    <QueryView query={query} rows={8}>
      {(overview) => {
        if (overview.totalTasks === 0 || isFirst) {
          if (user.can('operator'))
            return <FirstBackup onStarted={() => setFirst(true)} onDone={() => setFirst(false)} />;
          return <EmptyState icon="shield" title={t('overview.emptyTitle')} text={t('overview.emptyViewer')} />;
        }
        return (
          <>
            <PageHeader
              title={t('nav.overview')}
              actions={
                user.can('operator') && (
                  <Link to={paths.newTask} className={buttonClass('primary')}>
                    <Icon name="plus" />
                    {t('shortcut.newTask')}
                  </Link>
                )
              }
            />
            <Verdict overview={overview} />
            <div className="space-y-5">
              <RecoveryKitReminders hasRepositories={overview.repositories.total > 0} />
              <Exceptions
                exceptions={overview.exceptions}
                damaged={overview.repositories.damaged}
                neglected={overview.repositories.neglected}
                tasks={overview.tasks}
                failures={overview.recentFailures}
              />
              <RestoreTests overview={overview} />
              <div className="grid gap-5 lg:grid-cols-2">
                <Card title={t('overview.running')}>
                  <Running records={overview.running} />
                </Card>
                <Card title={t('overview.failures')}>
                  <RecentFailures records={overview.recentFailures} />
                </Card>
              </div>
              {/* On a phone the headline and what needs somebody are the page; all tasks have one of their own. */}
              <div className="max-sm:hidden">
                <ProtectionTable tasks={overview.tasks} />
              </div>
            </div>
          </>
        );
      }}
    </QueryView>
  );
}
