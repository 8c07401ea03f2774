/** A cron expression in plain words. Covers what the form's presets make and common hand-written ones. */
import { formatList, weekdayName } from './format.ts';
import { t } from './i18n.ts';

const ALIASES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const clock = (hour: string, minute: string) => `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
const isNumber = (text: string) => /^\d{1,2}$/.test(text);

/** Days of the week of a cron field as numbers 0–6, or null when it is more than a list of days. */
function parseDays(field: string): number[] | null {
  const days: number[] = [];
  for (const part of field.toLowerCase().split(',')) {
    const [from, to, rest] = part.split('-').map((day) => {
      const named = DAY_NAMES.indexOf(day);
      return named >= 0 ? named : isNumber(day) ? Number(day) : Number.NaN;
    });
    const last = to ?? from;
    if (from === undefined || last === undefined || rest !== undefined || !(from <= last && last <= 7)) return null;
    for (let day = from; day <= last; day++) days.push(day % 7);
  }
  return [...new Set(days)];
}

function describeDays(field: string, time: string): string | null {
  const days = parseDays(field);
  if (!days) return null;
  if (days.length === 7) return t('cron.daily', { time });
  if ([...days].sort().join() === '1,2,3,4,5') return t('cron.workdays', { time });
  return t('cron.weekly', { days: formatList(days.map(weekdayName)), time });
}

interface Fields {
  readonly minute: string;
  readonly hour: string;
  readonly day: string;
  readonly month: string;
  readonly weekday: string;
}

const STEP = /^(?:\*|0)\/(\d{1,2})$/;
const two = (number: string) => number.padStart(2, '0');

/** The five fields of an expression or alias; a leading seconds field of 0 is dropped. */
function parseFields(text: string): Fields | null {
  const fields = (ALIASES[text.toLowerCase()] ?? text).split(/\s+/);
  if (fields.length === 6 && fields[0] === '0') fields.shift();
  if (fields.length !== 5) return null;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  return { minute, hour, day, month, weekday };
}

/** Schedules that run on every day. */
function describeEveryDay({ minute, hour }: Fields): string | null {
  const minutes = STEP.exec(minute)?.[1];
  if (hour === '*' && minutes) return t('cron.everyMinutes', { count: Number(minutes) });
  if (!isNumber(minute)) return null;
  if (hour === '*') return t('cron.hourly', { minute: two(minute) });
  const hours = STEP.exec(hour)?.[1];
  if (hours) return t('cron.everyHours', { count: Number(hours), minute: two(minute) });
  return isNumber(hour) ? t('cron.daily', { time: clock(hour, minute) }) : null;
}

/** `0 2 * * *` → `every day at 02:00`; empty → `only by hand`; anything unusual → null. */
export function cronWords(expression: string): string | null {
  const text = expression.trim();
  if (text === '') return t('cron.manual');
  const fields = parseFields(text);
  if (fields?.month !== '*') return null;
  const { minute, hour, day, weekday } = fields;
  const anyWeekday = weekday === '*' || weekday === '?';
  if (day === '*' && anyWeekday) return describeEveryDay(fields);
  if (!isNumber(minute) || !isNumber(hour)) return null;
  if (day === '*') return describeDays(weekday, clock(hour, minute));
  return anyWeekday && isNumber(day) ? t('cron.monthly', { day: Number(day), time: clock(hour, minute) }) : null;
}
