import type { BackupRecord, RestoreRecord } from '../api/types.ts';
import { formatBytes, formatDuration, formatNumber } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Callout } from '../ui/Card.tsx';
import { FailureCallout } from './FailureCallout.tsx';

/** What is missing: paths, copies or both. */
function warningTitle({ problemCount, targets }: BackupRecord): string {
  const good = targets.filter((target) => target.status === 'success').length;
  const copies = good < targets.length ? t('record.copyMissing', { good, total: targets.length }) : '';
  const problems = problemCount > 0 || !copies ? t('record.warningTitle', { count: problemCount }) : '';
  return [problems, copies].filter(Boolean).join(' · ');
}

/** One sentence on how a backup ended: what came of it, or the cause and what to do. */
export function RecordOutcome({ record }: { record: BackupRecord }) {
  const { status } = record;
  if (status === 'running') return null;
  if (status === 'failed' || status === 'interrupted') return <FailureCallout record={record} />;
  if (status === 'cancelled') return <Callout tone="info" icon="ban" title={t('record.cancelledText')} />;
  const facts = t(record.snapshot ? 'snapshot.doneText' : 'record.doneText', {
    items: formatNumber(record.itemCount),
    source: formatBytes(record.sourceBytes),
    stored: formatBytes(record.fileSize),
    time: formatDuration(record.durationSeconds),
  });
  if (status === 'warning') {
    return (
      <Callout tone="warn" icon="alert" title={warningTitle(record)}>
        {record.targets
          .filter((target) => target.status !== 'success')
          .map((target) => (
            <p key={target.targetId}>
              {target.targetName}: {target.error}
            </p>
          ))}
        <p>{facts}</p>
      </Callout>
    );
  }
  return (
    <Callout tone="ok" icon="check-circle" title={t('record.successTitle')}>
      {facts}
    </Callout>
  );
}

function restoreTitle({ status, dryRun, problemCount }: RestoreRecord): string {
  if (status === 'warning') return t('restore.warningTitle', { count: problemCount });
  return dryRun ? t('restore.dryRunTitle') : t('restore.successTitle');
}

/** The same for a restore. */
export function RestoreOutcome({ record }: { record: RestoreRecord }) {
  const { status } = record;
  if (status === 'running') return null;
  if (status === 'failed' || status === 'interrupted') return <FailureCallout record={record} />;
  if (status === 'cancelled') return <Callout tone="info" icon="ban" title={t('restore.cancelledText')} />;
  const facts = t(record.dryRun ? 'restore.dryRunText' : 'restore.doneText', {
    items: formatNumber(record.itemsWritten),
    size: formatBytes(record.bytesWritten),
    skipped: formatNumber(record.itemsSkipped),
    time: formatDuration(record.durationSeconds),
  });
  const isWarning = status === 'warning';
  return (
    <Callout tone={isWarning ? 'warn' : 'ok'} icon={isWarning ? 'alert' : 'check-circle'} title={restoreTitle(record)}>
      {facts}
    </Callout>
  );
}
