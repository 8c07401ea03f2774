import { Link } from '@tanstack/react-router';
import { useChange } from '../../api/queries.ts';
import { useMaintenance } from '../../api/repository-queries.ts';
import type { MaintenanceRecord } from '../../api/types.ts';
import { MaintenanceBadge } from '../../components/MaintenanceTable.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatDateTime, formatDuration } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Card, Facts } from '../../ui/Card.tsx';
import { MaintenanceOutcome } from './MaintenanceOutcome.tsx';
import { MaintenanceResults } from './MaintenanceResults.tsx';
import { CancelRun, RunBody } from './RunBody.tsx';

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
  const cancel = useChange('maintenance.cancel', ['maintenance', 'maintenance-records']);
  return (
    <>
      <PageHeader
        title={t('maintenance.of', { work: t(`maintenanceKind.${record.kind}`), name: record.repositoryName })}
        note={<MaintenanceBadge record={record} />}
        back={{ to: paths.repositoryTab(record.repositoryId, 'maintenance'), label: record.repositoryName }}
        actions={record.status === 'running' && <CancelRun id={record.id} cancel={cancel} label={t('action.cancel')} />}
      />
      <RunBody
        kind="maintenance"
        record={record}
        outcome={<MaintenanceOutcome record={record} />}
        mayClose={t('maintenance.mayClose')}
        facts={<MaintenanceFacts record={record} />}
      >
        <MaintenanceResults record={record} />
      </RunBody>
    </>
  );
}

/** One check, clean-up, repair, copy or removal: how it ended, what it found, its log. */
export default function MaintenanceRecordPage() {
  const id = useIdParam();
  const query = useMaintenance(id);
  return <QueryView query={query}>{(record) => <MaintenanceView record={record} />}</QueryView>;
}
