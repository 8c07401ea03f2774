import { useEffect, useState } from 'react';
import { useProgress } from '../api/live.ts';
import type { JobProgress, RunKind } from '../api/types.ts';
import { formatBytes, formatDuration, formatNumber, formatPercent, formatRate } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { ProgressBar } from '../ui/Card.tsx';
import { Icon } from '../ui/Icon.tsx';

/** `3 of 40 files`, or only `3 files` while the total is unknown. */
function amount(done: string, total: string | null): string {
  return total === null ? done : t('progress.of', { done, total });
}

/** One line of figures for rows and cards. */
export function progressLine(progress: JobProgress | null): string {
  if (!progress) return t('phase.queued');
  if (progress.phase !== 'running') return t(`phase.${progress.phase}`);
  const parts = [
    progress.percent !== null && formatPercent(progress.percent),
    amount(formatBytes(progress.bytesDone), progress.bytesTotal === null ? null : formatBytes(progress.bytesTotal)),
    formatRate(progress.bytesPerSecond),
    progress.etaSeconds !== null && t('progress.eta', { time: formatDuration(progress.etaSeconds) }),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Says each ten percent once, for those who cannot see the bar move. */
function Announcement({ percent }: { percent: number | null }) {
  const [step, setStep] = useState<number | null>(null);
  const tens = percent === null ? null : Math.floor(percent / 10) * 10;
  useEffect(() => setStep(tens), [tens]);
  return (
    <span role="status" className="sr-only">
      {step === null ? '' : t('progress.announce', { percent: formatPercent(step) })}
    </span>
  );
}

/** Label and value of each figure under the bar. */
function figuresOf(kind: RunKind, progress: JobProgress): readonly (readonly [string, string])[] {
  const { itemsTotal, bytesTotal, etaSeconds } = progress;
  return [
    [
      t('progress.items'),
      amount(formatNumber(progress.itemsDone), itemsTotal === null ? null : formatNumber(itemsTotal)),
    ],
    [
      t('progress.bytes'),
      amount(formatBytes(progress.bytesDone), bytesTotal === null ? null : formatBytes(bytesTotal)),
    ],
    [kind === 'record' ? t('progress.stored') : t('progress.read'), formatBytes(progress.bytesStored)],
    [t('progress.rate'), formatRate(progress.bytesPerSecond)],
    [t('progress.left'), etaSeconds === null ? '–' : formatDuration(etaSeconds)],
  ];
}

/** Bar and figures of a run that is under way, kept live by the event stream. */
export function RunProgress({
  kind,
  id,
  known,
  compact,
}: {
  kind: RunKind;
  id: number;
  known: JobProgress | null;
  compact?: boolean;
}) {
  const progress = useProgress(kind, id, known);
  const bar = <ProgressBar percent={progress?.percent ?? null} label={t('progress.label')} />;
  if (compact) {
    return (
      <div className="w-full min-w-0">
        {bar}
        <p className="mt-1.5 text-[13px] text-ink-2 tabular-nums">{progressLine(progress)}</p>
      </div>
    );
  }
  const figures = progress ? figuresOf(kind, progress) : [];
  return (
    <div>
      <div className="mb-2 flex items-baseline justify-between gap-4">
        <span className="font-medium">{t(`phase.${progress?.phase ?? 'queued'}`)}</span>
        <span className="text-2xl font-semibold tabular-nums">
          {progress?.percent === null || !progress ? '' : formatPercent(progress.percent)}
        </span>
      </div>
      {bar}
      <Announcement percent={progress?.percent ?? null} />
      <dl className="mt-4 grid grid-cols-2 gap-x-4 gap-y-3 sm:grid-cols-[1fr_1.7fr_1fr_1fr_1fr]">
        {figures.map(([label, value]) => (
          <div key={label} className="min-w-0">
            <dt className="text-xs text-ink-3">{label}</dt>
            <dd className="font-medium tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      {progress?.currentItem && (
        <p className="mt-3 flex min-w-0 items-center gap-1.5 text-[13px] text-ink-2">
          <Icon name="file" size={14} />
          <span className="truncate font-mono" title={progress.currentItem}>
            {progress.currentItem}
          </span>
        </p>
      )}
      {progress && progress.problemCount > 0 && (
        <p className="mt-2 flex items-center gap-1.5 text-[13px] text-warn">
          <Icon name="alert" size={14} />
          {t('problems.count', { count: progress.problemCount })}
        </p>
      )}
    </div>
  );
}
