import type { MaintenanceRecord, MaintenanceResult } from '../../api/types.ts';
import { FailureCallout } from '../../components/FailureCallout.tsx';
import { formatBytes } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout } from '../../ui/Card.tsx';

type Words = readonly [title: string, text: string];

function checkWords({
  status,
  problemCount,
  snapshotCount,
  intactSnapshotIds,
  bytesRead,
}: Required<MaintenanceResult>['check']): Words {
  const read = bytesRead > 0 ? t('outcome.read', { size: formatBytes(bytesRead) }) : t('outcome.structureOnly');
  if (status === 'clean') return [t('outcome.clean'), `${t('outcome.snapshots', { count: snapshotCount })} ${read}`];
  const intact = t('outcome.intact', { intact: intactSnapshotIds.length, total: snapshotCount });
  return [t('outcome.damaged', { count: problemCount }), `${intact} ${read}`];
}

/** What came of it, in the reader's language: out of the figures, not out of the server's sentence. */
function wordsOf({ check, prune, sweep, repair, copy, forget }: MaintenanceResult): Words | null {
  if (check) return checkWords(check);
  if (prune) {
    const text = t('outcome.pruneText', { size: formatBytes(prune.bytesFreed), repacked: prune.packsRepacked });
    return prune.condemnedPacks.length === 0
      ? [t('outcome.pruneNothing'), '']
      : [t('outcome.prune', { count: prune.condemnedPacks.length }), text];
  }
  if (sweep) return [t('outcome.sweep', { size: formatBytes(sweep.bytesFreed) }), ''];
  if (repair) return [t('outcome.repair', { count: repair.changes.length }), ''];
  if (copy) {
    const text = t('outcome.copyText', { skipped: copy.skipped, size: formatBytes(copy.bytesStored) });
    return [t('outcome.copy', { count: copy.copied.length }), text];
  }
  if (forget)
    return [t('outcome.forget', { count: forget.removed.length }), t('outcome.kept', { count: forget.kept.length })];
  return null;
}

const looks = {
  good: { tone: 'ok', icon: 'check-circle' },
  doubtful: { tone: 'warn', icon: 'alert' },
  damaged: { tone: 'bad', icon: 'x-circle', role: 'alert' },
} as const;

/** One sentence on how maintenance ended; damage is as loud as a failure. */
export function MaintenanceOutcome({ record }: { record: MaintenanceRecord }) {
  const { status, result, problemCount } = record;
  if (status === 'running') return null;
  if (status === 'cancelled') return <Callout tone="info" icon="ban" title={t('outcome.cancelled')} />;
  if (status === 'failed' || status === 'interrupted') return <FailureCallout record={record} />;
  const [title, text] = (result && wordsOf(result)) ?? [record.summary, ''];
  const look = status === 'success' ? looks.good : problemCount > 0 ? looks.damaged : looks.doubtful;
  return (
    <Callout {...look} title={title}>
      {text}
    </Callout>
  );
}
