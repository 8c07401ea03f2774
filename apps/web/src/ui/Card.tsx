import type { ReactNode } from 'react';
import { Icon, type IconName } from './Icon.tsx';

/** A surface with an optional heading row. */
export function Card({
  title,
  note,
  actions,
  children,
  flush,
  className = '',
}: {
  title?: string;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** No padding: for tables and lists. */
  flush?: boolean;
  className?: string;
}) {
  return (
    <section className={`min-w-0 rounded-xl border border-line bg-surface shadow-card ${className}`}>
      {title && (
        <header className={`flex flex-wrap items-center gap-x-3 gap-y-2 px-4 pt-3.5 ${flush ? 'pb-3' : ''}`}>
          <h2 className="font-semibold">{title}</h2>
          {note && <span className="text-[13px] text-ink-3">{note}</span>}
          {actions && <div className="ml-auto flex items-center gap-2">{actions}</div>}
        </header>
      )}
      <div className={flush ? (title ? 'border-t border-line' : '') : 'p-4'}>{children}</div>
    </section>
  );
}

/** What a list says when there is nothing in it, and the way out. */
export function EmptyState({
  icon,
  title,
  text,
  action,
}: {
  icon: IconName;
  title: string;
  text?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 grid size-12 place-items-center rounded-2xl bg-raised text-ink-2">
        <Icon name={icon} size={22} />
      </span>
      <h2 className="text-base font-semibold">{title}</h2>
      {text && <p className="mt-1 max-w-md text-balance text-ink-2">{text}</p>}
      {action && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** Grey lines in the place of what is still loading; `label` is read out. */
export function Skeleton({ rows = 4, label }: { rows?: number; label: string }) {
  return (
    <div role="status" aria-label={label} className="space-y-3 p-4">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <div key={index} className={`skeleton h-5 ${index % 3 === 2 ? 'w-2/3' : 'w-full'}`} />
      ))}
    </div>
  );
}

const tones = {
  info: 'border-run-mark/30 bg-run-soft text-run',
  ok: 'border-ok-mark/30 bg-ok-soft text-ok',
  warn: 'border-warn-mark/30 bg-warn-soft text-warn',
  bad: 'border-bad-mark/30 bg-bad-soft text-bad',
} as const;

/** A coloured box that says something in words. */
export function Callout({
  tone,
  icon,
  title,
  children,
  actions,
  role,
}: {
  tone: keyof typeof tones;
  icon: IconName;
  title?: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  role?: 'alert' | 'status';
}) {
  return (
    <div role={role} className={`flex gap-3 rounded-xl border px-4 py-3 ${tones[tone]}`}>
      <Icon name={icon} size={18} className="mt-0.5" />
      <div className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        {title && <p className="font-semibold">{title}</p>}
        {children && <div className="text-ink-2">{children}</div>}
        {actions && <div className="mt-3 flex flex-wrap gap-2">{actions}</div>}
      </div>
    </div>
  );
}

/** Label and value pairs. */
export function Facts({ items }: { items: readonly (readonly [string, ReactNode] | null)[] }) {
  return (
    <dl className="grid grid-cols-[minmax(6rem,auto)_minmax(0,1fr)] gap-x-5 gap-y-2.5">
      {items.map(
        (item) =>
          item && (
            <div key={item[0]} className="contents">
              <dt className="text-ink-3">{item[0]}</dt>
              <dd className="min-w-0 [overflow-wrap:anywhere]">{item[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** How far something is, with the same said in words beside it. */
export function ProgressBar({
  percent,
  label,
  tone = 'run',
}: {
  percent: number | null;
  label: string;
  tone?: 'run' | 'warn';
}) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent === null ? undefined : Math.floor(percent)}
      className="h-1.5 w-full overflow-hidden rounded-full bg-raised"
    >
      <div
        className={`h-full rounded-full transition-[width] duration-500 ${tone === 'warn' ? 'bg-warn-mark' : 'bg-run-mark'} ${percent === null ? 'w-1/3 animate-pulse' : ''}`}
        style={percent === null ? undefined : { width: `${percent}%` }}
      />
    </div>
  );
}
