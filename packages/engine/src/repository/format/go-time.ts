/**
 * Times as Go writes them in JSON (RFC 3339 with up to nine decimals, trailing zeros left out), in UTC. In memory they
 * are nanoseconds since 1970. Written and read for every file of a backup, so days and whole texts are remembered.
 */
import { AppError } from '@backupx/contracts/errors';

const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400;
const MS_PER_DAY = 86_400_000;
/** Years that Go can write. */
const FIRST_SECOND = -62_167_219_200;
const LAST_SECOND = 253_402_300_799;

const twoDigits = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
const threeDigits = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));

let lastDay = Number.NaN;
let lastDayText = '';

/** `YYYY-MM-DDT` of a day since 1970. */
function dayText(day: number): string {
  if (day !== lastDay) {
    lastDayText = new Date(day * MS_PER_DAY).toISOString().slice(0, 11);
    lastDay = day;
  }
  return lastDayText;
}

function fractionText(nanos: number): string {
  if (nanos === 0) return '';
  const micros = Math.floor(nanos / 1000);
  const digits =
    (threeDigits[Math.floor(micros / 1000)] ?? '') +
    (threeDigits[micros % 1000] ?? '') +
    (threeDigits[nanos % 1000] ?? '');
  let end = 9;
  while (digits.charCodeAt(end - 1) === 0x30) end -= 1;
  return `.${end === 9 ? digits : digits.slice(0, end)}`;
}

let lastNs: bigint | null = null;
let lastText = '';

/** `2026-01-02T03:04:05.678Z`. A time outside the years 0 to 9999 is moved to the first or last one that Go can write. */
export function formatGoTime(ns: bigint): string {
  if (ns === lastNs) return lastText;
  let seconds = Number(ns / NS_PER_SECOND);
  let nanos = Number(ns % NS_PER_SECOND);
  if (nanos < 0) {
    nanos += 1_000_000_000;
    seconds -= 1;
  }
  seconds = Math.min(Math.max(seconds, FIRST_SECOND), LAST_SECOND);
  const day = Math.floor(seconds / SECONDS_PER_DAY);
  const second = seconds - day * SECONDS_PER_DAY;
  const minute = Math.floor(second / 60);
  const clock = `${twoDigits[Math.floor(minute / 60)]}:${twoDigits[minute % 60]}:${twoDigits[second % 60]}`;
  lastText = `${dayText(day)}${clock}${fractionText(nanos)}Z`;
  lastNs = ns;
  return lastText;
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:Z|([+-])(\d\d):(\d\d))$/;

let lastDate = '';
let lastDateSeconds = 0;
let lastParsed = '';
let lastParsedNs = 0n;

/** Nanoseconds since 1970 of an RFC 3339 time with any offset. Throws REPOSITORY_DAMAGED for anything else. */
export function parseGoTime(text: string): bigint {
  if (text === lastParsed) return lastParsedNs;
  const match = TIME.exec(text);
  const date = text.slice(0, 10);
  if (match && date !== lastDate) {
    const at = Date.parse(`${date}T00:00:00Z`);
    if (Number.isNaN(at)) throw notATime(text);
    lastDateSeconds = at / 1000;
    lastDate = date;
  }
  if (!match) throw notATime(text);
  const [, , , , hours, minutes, seconds, fraction = '', sign, offsetHours, offsetMinutes] = match;
  const offset =
    sign === undefined ? 0 : Number(`${sign}1`) * (Number(offsetHours) * 3600 + Number(offsetMinutes) * 60);
  const second = lastDateSeconds + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) - offset;
  lastParsedNs = BigInt(second) * NS_PER_SECOND + BigInt(fraction === '' ? 0 : Number(fraction.padEnd(9, '0')));
  lastParsed = text;
  return lastParsedNs;
}

function notATime(text: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `${JSON.stringify(text.slice(0, 60))} is not a time` });
}
