/** Numbers, sizes, times and durations in words of the current language. */
import { currentLocale, t } from './i18n.ts';

const cache = new Map<string, unknown>();
function cached<T>(name: string, make: (locale: string) => T): T {
  const key = `${name}|${currentLocale()}`;
  const found = cache.get(key) as T | undefined;
  if (found) return found;
  const made = make(currentLocale());
  cache.set(key, made);
  return made;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(currentLocale(), { maximumFractionDigits: digits }).format(value)} ${UNITS[power]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

export function formatNumber(value: number): string {
  return cached('number', (locale) => new Intl.NumberFormat(locale)).format(value);
}

export function formatPercent(value: number): string {
  return cached('percent', (locale) => new Intl.NumberFormat(locale, { style: 'percent' })).format(
    Math.floor(value) / 100,
  );
}

/** `3725` seconds → `1 h 2 min`; the two largest units. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, 'unit.day' | 'unit.hour' | 'unit.minute' | 'unit.second'][] = [
    [Math.floor(whole / 86_400), 'unit.day'],
    [Math.floor(whole / 3600) % 24, 'unit.hour'],
    [Math.floor(whole / 60) % 60, 'unit.minute'],
    [whole % 60, 'unit.second'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return t('unit.second', { n: 0 });
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([n, unit]) => t(unit, { n }))
    .join(' ');
}

const STEPS: readonly [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [30, 'day'],
  [12, 'month'],
  [Number.POSITIVE_INFINITY, 'year'],
];

/** `3 hours ago`, `in 2 days`; `nowMs` is the present. */
export function formatRelative(iso: string, nowMs: number): string {
  let amount = (Date.parse(iso) - nowMs) / 1000;
  if (Math.abs(amount) < 10) return t('time.now');
  for (const [size, unit] of STEPS) {
    if (Math.abs(Math.round(amount)) < size) {
      return cached('relative', (locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })).format(
        Math.round(amount),
        unit,
      );
    }
    amount /= size;
  }
  return iso;
}

/** `11 Aug 2026, 02:00` in `zone` (IANA), or in the browser's zone. */
export function formatDateTime(iso: string, zone?: string): string {
  return cached(
    `datetime|${zone ?? ''}`,
    (locale) =>
      new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
        dateStyle: 'medium',
        timeStyle: 'short',
        timeZone: zone,
      }),
  ).format(new Date(iso));
}

/** `Tue, 11 Aug, 02:00` in `zone`: for a list of coming runs. */
export function formatWeekdayTime(iso: string, zone?: string): string {
  return cached(
    `weekday|${zone ?? ''}`,
    (locale) =>
      new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        hour: '2-digit',
        minute: '2-digit',
        timeZone: zone,
      }),
  ).format(new Date(iso));
}

export function formatTime(iso: string, zone?: string): string {
  return cached(
    `time|${zone ?? ''}`,
    (locale) =>
      new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
        hour: '2-digit',
        minute: '2-digit',
        timeZone: zone,
      }),
  ).format(new Date(iso));
}

/** `02:00:07` in the reader's zone: for lines of a log. */
export function formatClock(iso: string): string {
  return cached(
    'clock',
    (locale) =>
      new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        hourCycle: 'h23',
      }),
  ).format(new Date(iso));
}

/** A date without time (`2026-08-11`), read as that calendar day. */
export function formatDay(date: string): string {
  return cached(
    'day',
    (locale) =>
      new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { day: 'numeric', month: 'short', timeZone: 'UTC' }),
  ).format(new Date(`${date}T00:00:00Z`));
}

/** The heading of a day in a list, in the browser's zone: `Tuesday, 11 August 2026`. */
export function formatLongDay(iso: string): string {
  return cached(
    'long-day',
    (locale) => new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, { dateStyle: 'full' }),
  ).format(new Date(iso));
}

export function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** True when both zones show another wall clock for this moment. */
export function zonesDiffer(iso: string, a: string, b: string): boolean {
  return formatDateTime(iso, a || 'UTC') !== formatDateTime(iso, b || 'UTC');
}

/** Names of the week's days, Sunday first (as cron counts). */
export function weekdayName(day: number): string {
  return cached(
    'weekday-name',
    (locale) => new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' }),
  ).format(new Date(Date.UTC(2023, 0, 1 + (day % 7))));
}

/** `a, b and c`. */
export function formatList(items: readonly string[]): string {
  return cached('list', (locale) => new Intl.ListFormat(locale, { type: 'conjunction' })).format(items);
}
