import { Link } from '@tanstack/react-router';
import { useChange, useRestore } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { RestoreRecord } from '../../api/types.ts';
import { OptionList } from '../../components/OptionList.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { ProblemList } from '../../components/ProblemList.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RestoreOutcome } from '../../components/RecordOutcome.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatBytes, formatDateTime, formatDuration, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Callout, Card, Facts } from '../../ui/Card.tsx';
import { CancelRun, RunBody } from './RunBody.tsx';

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
  const cancel = useChange('restores.cancel', ['restore', 'restores']);
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
          record.status === 'running' && user.can('operator') ? (
            <CancelRun id={record.id} cancel={cancel} label={t('restore.cancel')} />
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
      <RunBody
        kind="restore"
        record={record}
        isWaiting={record.isWaiting}
        outcome={
          <>
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
          </>
        }
        mayClose={t('restore.mayClose')}
        facts={<RestoreFacts record={record} />}
      >
        <ProblemList problems={record.problems} total={record.problemCount} />
      </RunBody>
    </>
  );
}

export default function RestoreRecordPage() {
  const id = useIdParam();
  const query = useRestore(id ?? 0);
  return <QueryView query={query}>{(record) => <RestoreView record={record} />}</QueryView>;
}
