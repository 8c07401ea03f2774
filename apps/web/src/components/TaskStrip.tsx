import { type KeyboardEvent, useState } from 'react';
import type { StripDay } from '../api/types.ts';
import { formatDay } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { stripLooks } from './Status.tsx';

function describeDay(day: StripDay): string {
  const state = t(stripLooks[day.state].word as 'strip.success');
  return day.runs > 0
    ? t('strip.cellRuns', { day: formatDay(day.date), state, count: day.runs })
    : t('strip.cell', { day: formatDay(day.date), state });
}

/** Thirty days of a task, oldest first: one tab stop, arrows move by day, each day is read out. */
export function TaskStrip({ days, label }: { days: readonly StripDay[]; label: string }) {
  const [at, setAt] = useState(days.length - 1);
  const current = days[Math.min(at, days.length - 1)];
  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: days.length - 1,
    };
    const next = moves[event.key];
    if (next === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(days.length - 1, next)));
  };
  if (!current) return null;
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={1}
      aria-valuemax={days.length}
      aria-valuenow={at + 1}
      aria-valuetext={describeDay(current)}
      onKeyDown={onKeyDown}
      className="group relative z-10 flex h-6 w-full max-w-52 items-end gap-[2px] rounded-sm sm:w-52"
    >
      {days.map((day, index) => (
        <span
          key={day.date}
          title={describeDay(day)}
          onPointerEnter={() => setAt(index)}
          className={`flex h-full min-w-0 flex-1 items-end rounded-[2px] ${index === at ? 'group-focus-visible:bg-raised group-focus-visible:ring-1 group-focus-visible:ring-ink' : ''}`}
        >
          <span className={`block w-full rounded-[2px] ${stripLooks[day.state].fill}`} />
        </span>
      ))}
    </div>
  );
}
