import { Link } from '@tanstack/react-router';
import { useProgress } from '../../api/live.ts';
import { useChange, useRestore } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { RestoreRecord } from '../../api/types.ts';
import { LogView } from '../../components/LogView.tsx';
import { OptionList } from '../../components/OptionList.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { PhaseBar } from '../../components/PhaseBar.tsx';
import { ProblemList } from '../../components/ProblemList.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RestoreOutcome } from '../../components/RecordOutcome.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatBytes, formatDateTime, formatDuration, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Callout, Card, Facts } from '../../ui/Card.tsx';

function RestoreFacts({ record }: { record: RestoreRecord }) {
  return (
    <Card title={t('record.facts')}>
      <Facts
        items={[
          [
            t('restore.to'),
            <span key="t" className="font-mono text-[13px]">
              {record.targetPath || t('restore.original')}
            </span>,
          ],
          [t('task.server'), record.nodeName],
          [
            t('restore.selection'),
            record.paths.length > 0 ? (
              <ul key="p" className="font-mono text-[13px]">
                {record.paths.slice(0, 20).map((path) => (
                  <li key={path}>{path}</li>
                ))}
              </ul>
            ) : (
              t('restore.everything')
            ),
          ],
          Object.keys(record.options).length > 0
            ? [t('sourceRestore.options'), <OptionList key="o" options={record.options} />]
            : [t('restore.existing'), t(`overwrite.${record.overwrite}`)],
          record.safetyRecordId > 0
            ? [
                t('sourceRestore.safetyBackup'),
                <Link key="s" to={paths.record(record.safetyRecordId)} className="underline">
                  {t('record.number', { id: String(record.safetyRecordId) })}
                </Link>,
              ]
            : null,
          [record.dryRun ? t('restore.wouldWrite') : t('restore.items'), formatNumber(record.itemsWritten)],
          [t('record.size'), formatBytes(record.bytesWritten)],
          [t('restore.skipped'), formatNumber(record.itemsSkipped)],
          [t('restore.by'), record.requestedBy],
          [t('record.started'), formatDateTime(record.startedAt)],
          [t('record.duration'), formatDuration(record.durationSeconds)],
        ]}
      />
    </Card>
  );
}

function RestoreView({ record }: { record: RestoreRecord }) {
  const user = useUser();
  const progress = useProgress('restore', record.id, record.progress);
  const cancel = useChange('restores.cancel', ['restore', 'restores']);
  const isRunning = record.status === 'running';
  return (
    <>
      <PageHeader
        title={t('restore.of', { name: record.taskName })}
        note={
          <span className="flex flex-wrap items-center gap-2">
            <RecordStatusBadge status={record.status} />
            {record.dryRun && t('restore.dryRun')}
          </span>
        }
        back={{ to: paths.activity, label: t('nav.activity') }}
        actions={
          isRunning && user.can('operator') ? (
            <Button
              icon="stop"
              busy={cancel.isPending}
              onClick={() => cancel.mutate({ params: { id: record.id } }, { onError: toastError })}
            >
              {t('restore.cancel')}
            </Button>
          ) : record.recordId > 0 ? (
            <Link to={paths.record(record.recordId)} className={buttonClass()}>
              {t('restore.openBackup')}
            </Link>
          ) : (
            <Link to={paths.snapshot(record.repositoryId, record.snapshotId)} className={buttonClass()}>
              {t('snapshot.open')}
            </Link>
          )
        }
      />
      <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="min-w-0 space-y-5">
          <RestoreOutcome record={record} />
          {record.isWaiting && (
            <Callout
              tone="info"
              icon="history"
              role="status"
              title={t('sourceRestore.waiting')}
              actions={
                <Link to={paths.record(record.safetyRecordId)} className={buttonClass('secondary', true)}>
                  {t('record.number', { id: String(record.safetyRecordId) })}
                </Link>
              }
            >
              <p>{t('sourceRestore.waitingHelp')}</p>
            </Callout>
          )}
          {isRunning && !record.isWaiting && (
            <Card>
              <RunProgress kind="restore" id={record.id} known={record.progress} />
              <p className="mt-4 text-[13px] text-ink-3">{t('restore.mayClose')}</p>
            </Card>
          )}
          <Card>
            <PhaseBar status={record.status} phase={progress?.phase ?? null} />
          </Card>
          <ProblemList problems={record.problems} total={record.problemCount} />
          <Card title={t('log.title')}>
            <LogView kind="restore" id={record.id} stored={record.logContent} isRunning={isRunning} />
          </Card>
        </div>
        <RestoreFacts record={record} />
      </div>
    </>
  );
}

export default function RestoreRecordPage() {
  const id = useIdParam();
  const query = useRestore(id ?? 0);
  return <QueryView query={query}>{(record) => <RestoreView record={record} />}</QueryView>;
}
