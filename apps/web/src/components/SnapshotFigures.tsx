import { formatBytes, formatNumber, formatPercent } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { ProgressBar } from '../ui/Card.tsx';

export interface Figures {
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  /** Plain bytes of data that was not there yet, and what they take up stored. */
  readonly bytesAdded: number;
  readonly bytesStored: number;
  /** Bytes of all files in the snapshot. */
  readonly bytesTotal: number;
}

/** Share of new data in percent; what is added besides files (lists of folders) never makes it more than everything. */
export function newShare({ bytesAdded, bytesTotal }: Pick<Figures, 'bytesAdded' | 'bytesTotal'>): number {
  if (bytesTotal === 0) return bytesAdded > 0 ? 100 : 0;
  return Math.min(100, (bytesAdded / bytesTotal) * 100);
}

/** A little is not nothing. */
function shareWords(percent: number): string {
  return percent > 0 && percent < 1 ? t('snapshot.lessThan', { percent: formatPercent(1) }) : formatPercent(percent);
}

/** What a snapshot brought: its files against the one before, and how much of its data was new. */
export function SnapshotFigures({ figures }: { figures: Figures }) {
  const share = newShare(figures);
  const files = [
    [t('snapshot.filesNew'), figures.filesNew],
    [t('snapshot.filesChanged'), figures.filesChanged],
    [t('snapshot.filesUnmodified'), figures.filesUnmodified],
  ] as const;
  return (
    <div className="space-y-4">
      <dl className="grid grid-cols-3 gap-3">
        {files.map(([label, count]) => (
          <div key={label} className="flex min-w-0 flex-col-reverse justify-end">
            <dt className="text-[13px] text-ink-3">{label}</dt>
            <dd className="text-xl font-semibold tabular-nums">{formatNumber(count)}</dd>
          </div>
        ))}
      </dl>
      <div>
        <ProgressBar percent={share} label={t('snapshot.newShare')} />
        <p className="mt-2 text-[13px] text-ink-2">
          {t('snapshot.shareText', {
            share: shareWords(share),
            total: formatBytes(figures.bytesTotal),
            added: formatBytes(figures.bytesAdded),
            stored: formatBytes(figures.bytesStored),
          })}
        </p>
      </div>
    </div>
  );
}
