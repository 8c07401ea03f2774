import { Link } from '@tanstack/react-router';
import { useRecord } from '../../api/queries.ts';
import type { BackupRecord } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { ProblemList } from '../../components/ProblemList.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecordOutcome } from '../../components/RecordOutcome.tsx';
import { RecoveryKitReminder } from '../../components/RecoveryKitReminder.tsx';
import { RepositoryKitReminder } from '../../components/RepositoryKit.tsx';
import { SnapshotFigures } from '../../components/SnapshotFigures.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { lastVerifiedWords } from '../../components/VerificationTable.tsx';
import { formatBytes, formatDateTime, formatDuration, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { RecordActions } from './RecordActions.tsx';
import { RunBody } from './RunBody.tsx';

function RecordFacts({ record }: { record: BackupRecord }) {
  return (
    <Card title={t('record.facts')}>
      <Facts
        items={[
          [t('task.server'), record.nodeName],
          [t('record.trigger'), t(`trigger.${record.trigger}`)],
          [t('record.started'), formatDateTime(record.startedAt)],
          record.completedAt ? [t('record.ended'), formatDateTime(record.completedAt)] : null,
          [t('record.duration'), formatDuration(record.durationSeconds)],
          record.itemCount > 0 ? [t('record.items'), formatNumber(record.itemCount)] : null,
          record.sourceBytes > 0
            ? [record.snapshot ? t('record.size') : t('record.sourceSize'), formatBytes(record.sourceBytes)]
            : null,
          record.fileSize > 0 ? [t('record.storedSize'), formatBytes(record.fileSize)] : null,
          record.fileSize > 0 ? [t('verify.last'), lastVerifiedWords(record.lastVerified)] : null,
          [t('record.encrypted'), record.encrypted ? t('word.yes') : t('word.no')],
          record.fileName && !record.snapshot
            ? [
                t('record.file'),
                <span key="f" className="font-mono text-[13px]">
                  {record.fileName}
                </span>,
              ]
            : null,
          record.checksum && !record.snapshot
            ? [
                t('record.checksum'),
                <span key="c" className="font-mono text-xs break-all select-all">
                  {record.checksum}
                </span>,
              ]
            : null,
        ]}
      />
    </Card>
  );
}

/** What the run brought to the repository, and the way to its snapshot there. */
function SnapshotCard({ record }: { record: BackupRecord }) {
  const { snapshot, repositoryId, snapshotId, sourceBytes } = record;
  if (!snapshot || snapshotId === '') return null;
  return (
    <Card
      title={t('snapshot.snapshot')}
      note={<span className="font-mono text-xs">{snapshotId.slice(0, 8)}</span>}
      actions={
        <Link to={paths.snapshot(repositoryId, snapshotId)} className={buttonClass('secondary', true)}>
          {t('snapshot.open')}
        </Link>
      }
    >
      <SnapshotFigures figures={{ ...snapshot, bytesTotal: sourceBytes }} />
    </Card>
  );
}

/** Where each copy lies, or why it does not. */
function Copies({ record }: { record: BackupRecord }) {
  if (record.targets.length === 0) return null;
  return (
    <Card title={t('record.copies')}>
      <ul className="space-y-3">
        {record.targets.map((target) => (
          <li key={target.targetId} className="flex gap-2.5">
            <Icon
              name={target.status === 'success' ? 'check-circle' : 'x-circle'}
              className={`mt-0.5 ${target.status === 'success' ? 'text-ok' : 'text-bad'}`}
            />
            <div className="min-w-0">
              <p className="font-medium">
                {target.targetName}
                <span className="sr-only">{t(`status.${target.status}`)}</span>
              </p>
              {target.storagePath && (
                <p className="font-mono text-xs [overflow-wrap:anywhere] text-ink-2">{target.storagePath}</p>
              )}
              {target.error && <p className="text-[13px] text-bad">{target.error}</p>}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** One backup: cause and fix first when it failed, live progress while it runs, then log and facts. */
function RecordView({ record }: { record: BackupRecord }) {
  return (
    <>
      <PageHeader
        title={record.taskName}
        note={
          <span className="flex flex-wrap items-center gap-2">
            <RecordStatusBadge status={record.status} />
            {t('record.number', { id: String(record.id) })}
            <span className="text-ink-3">{formatDateTime(record.startedAt)}</span>
          </span>
        }
        back={{ to: paths.activity, label: t('nav.activity') }}
        actions={<RecordActions record={record} />}
      />
      <RunBody
        kind="record"
        record={record}
        outcome={
          <>
            <RecordOutcome record={record} />
            {record.encrypted && record.fileSize > 0 && !record.snapshot && <RecoveryKitReminder />}
            {record.snapshot && <RepositoryKitReminder repositoryId={record.repositoryId} />}
          </>
        }
        facts={
          <>
            <RecordFacts record={record} />
            <Copies record={record} />
          </>
        }
      >
        <SnapshotCard record={record} />
        <ProblemList problems={record.problems} total={record.problemCount} />
      </RunBody>
    </>
  );
}

export default function RecordPage() {
  const id = useIdParam();
  const query = useRecord(id);
  return <QueryView query={query}>{(record) => <RecordView record={record} />}</QueryView>;
}
