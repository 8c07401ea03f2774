import { describeError } from '../api/error-message.ts';
import type { BackupRecord, RestoreRecord } from '../api/types.ts';
import { formatBytes, formatDuration, formatNumber } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Callout } from '../ui/Card.tsx';

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
  if (status === 'failed' || status === 'interrupted') {
    const { what, next } = describeError(record.errorCode, record.errorMessage, record.errorHint);
    return (
      <Callout tone="bad" icon="x-circle" title={what || t('record.interruptedText')}>
        {next && <p>{next}</p>}
        {record.errorCode && <p className="mt-1 font-mono text-xs text-ink-3 select-all">{record.errorCode}</p>}
      </Callout>
    );
  }
  if (status === 'cancelled') return <Callout tone="info" icon="ban" title={t('record.cancelledText')} />;
  const facts = t('record.doneText', {
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

/** The same for a restore. */
export function RestoreOutcome({ record }: { record: RestoreRecord }) {
  const { status } = record;
  if (status === 'running') return null;
  if (status === 'failed' || status === 'interrupted') {
    const { what, next } = describeError(record.errorCode, record.errorMessage, record.errorHint);
    return (
      <Callout tone="bad" icon="x-circle" title={what || t('record.interruptedText')}>
        {next && <p>{next}</p>}
        {record.errorCode && <p className="mt-1 font-mono text-xs text-ink-3 select-all">{record.errorCode}</p>}
      </Callout>
    );
  }
  if (status === 'cancelled') return <Callout tone="info" icon="ban" title={t('restore.cancelledText')} />;
  const facts = t('restore.doneText', {
    items: formatNumber(record.itemsWritten),
    size: formatBytes(record.bytesWritten),
    skipped: formatNumber(record.itemsSkipped),
    time: formatDuration(record.durationSeconds),
  });
  const isWarning = status === 'warning';
  return (
    <Callout
      tone={isWarning ? 'warn' : 'ok'}
      icon={isWarning ? 'alert' : 'check-circle'}
      title={isWarning ? t('restore.warningTitle', { count: record.problemCount }) : t('restore.successTitle')}
    >
      {facts}
    </Callout>
  );
}
