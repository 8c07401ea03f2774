import { Link } from '@tanstack/react-router';
import { useProgress } from '../../api/live.ts';
import { useChange } from '../../api/queries.ts';
import { useMaintenance } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { MaintenanceRecord } from '../../api/types.ts';
import { LogView } from '../../components/LogView.tsx';
import { MaintenanceBadge } from '../../components/MaintenanceTable.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { PhaseBar } from '../../components/PhaseBar.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatDateTime, formatDuration } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { MaintenanceOutcome } from './MaintenanceOutcome.tsx';
import { MaintenanceResults } from './MaintenanceResults.tsx';

function MaintenanceFacts({ record }: { record: MaintenanceRecord }) {
  return (
    <Card title={t('record.facts')}>
      <Facts
        items={[
          [
            t('repository.repository'),
            <Link key="r" to={paths.repository(record.repositoryId)} className="text-accent-ink hover:underline">
              {record.repositoryName}
            </Link>,
          ],
          [t('task.server'), record.nodeName],
          [t('record.trigger'), t(`trigger.${record.trigger}`)],
          record.requestedBy ? [t('restore.by'), record.requestedBy] : null,
          [t('record.started'), formatDateTime(record.startedAt)],
          record.completedAt ? [t('record.ended'), formatDateTime(record.completedAt)] : null,
          [t('record.duration'), formatDuration(record.durationSeconds)],
        ]}
      />
    </Card>
  );
}

function MaintenanceView({ record }: { record: MaintenanceRecord }) {
  const user = useUser();
  const progress = useProgress('maintenance', record.id, record.progress);
  const cancel = useChange('maintenance.cancel', ['maintenance', 'maintenance-records']);
  const isRunning = record.status === 'running';
  return (
    <>
      <PageHeader
        title={t('maintenance.of', { work: t(`maintenanceKind.${record.kind}`), name: record.repositoryName })}
        note={<MaintenanceBadge record={record} />}
        back={{ to: paths.repositoryTab(record.repositoryId, 'maintenance'), label: record.repositoryName }}
        actions={
          isRunning &&
          user.can('operator') && (
            <Button
              icon="stop"
              busy={cancel.isPending}
              onClick={() => cancel.mutate({ params: { id: record.id } }, { onError: toastError })}
            >
              {t('action.cancel')}
            </Button>
          )
        }
      />
      <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="min-w-0 space-y-5">
          <MaintenanceOutcome record={record} />
          {isRunning && (
            <Card>
              <RunProgress kind="maintenance" id={record.id} known={record.progress} />
              <p className="mt-4 text-[13px] text-ink-3">{t('maintenance.mayClose')}</p>
            </Card>
          )}
          <Card>
            <PhaseBar status={record.status} phase={progress?.phase ?? null} />
          </Card>
          <MaintenanceResults record={record} />
          <Card title={t('log.title')}>
            <LogView kind="maintenance" id={record.id} stored={record.logContent} isRunning={isRunning} />
          </Card>
        </div>
        <MaintenanceFacts record={record} />
      </div>
    </>
  );
}

/** One check, clean-up, repair, copy or removal: how it ended, what it found, its log. */
export default function MaintenanceRecordPage() {
  const id = useIdParam();
  const query = useMaintenance(id);
  return <QueryView query={query}>{(record) => <MaintenanceView record={record} />}</QueryView>;
}
