/**
 * Times as Go writes them in JSON (RFC 3339 with up to nine decimals, trailing zeros left out), in UTC. In memory they
 * are nanoseconds since 1970 as bigint. Each file of a backup has three, so this is written for speed: a bigint is taken
 * apart and put together through memory, since arithmetic with it is slow, and the last days and texts are remembered.
 */
import { AppError } from '@backupx/contracts/errors';

const NS_PER_SECOND = 1_000_000_000;
const SECONDS_PER_DAY = 86_400;
const MS_PER_DAY = 86_400_000;
/** From 1 March of the year 0. */
const DAYS_TO_1970 = 719_468;
/** Years 0 to 9999, which is what Go can write. */
const FIRST_SECOND = -62_167_219_200;
const LAST_SECOND = 253_402_300_799;
/** About where 64 bits of nanoseconds end, in 2262. */
const MAX_FAST_SECOND = 9_223_372_000;

const twoDigits = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'));
const threeDigits = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));

/** One bigint and its halves; low half first, like everything we run on. */
const whole = new BigInt64Array(1);
const halves = new Int32Array(whole.buffer);
const lowFirst = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Results of `split`. */
let splitSecond = 0;
let splitNanos = 0;

/** Divides nanoseconds into whole seconds, rounded down, and the rest. */
function split(ns: bigint): void {
  if (!lowFirst || BigInt.asIntN(64, ns) !== ns) {
    splitSlowly(ns);
    return;
  }
  whole[0] = ns;
  const high = halves[1] ?? 0;
  const low = halves[0] ?? 0;
  // Long division, 16 bits at a time, so that every step stays exact.
  const first = Math.floor(high / NS_PER_SECOND);
  const upper = (high - first * NS_PER_SECOND) * 0x10000 + (low >>> 16);
  const second = Math.floor(upper / NS_PER_SECOND);
  const lower = (upper - second * NS_PER_SECOND) * 0x10000 + (low & 0xffff);
  const third = Math.floor(lower / NS_PER_SECOND);
  splitSecond = first * 0x100000000 + second * 0x10000 + third;
  splitNanos = lower - third * NS_PER_SECOND;
}

function splitSlowly(ns: bigint): void {
  const unit = BigInt(NS_PER_SECOND);
  const nanos = ((ns % unit) + unit) % unit;
  splitSecond = Number((ns - nanos) / unit);
  splitNanos = Number(nanos);
}

function join(second: number, nanos: number): bigint {
  if (!lowFirst || second > MAX_FAST_SECOND || second < -MAX_FAST_SECOND) {
    return BigInt(second) * BigInt(NS_PER_SECOND) + BigInt(nanos);
  }
  const upper = Math.floor(second / 0x10000);
  const lower = (second - upper * 0x10000) * NS_PER_SECOND + nanos;
  const carry = Math.floor(lower / 0x10000);
  const sum = upper * NS_PER_SECOND + carry;
  const high = Math.floor(sum / 0x10000);
  halves[1] = high;
  halves[0] = ((sum - high * 0x10000) << 16) | (lower - carry * 0x10000);
  return whole[0] ?? 0n;
}

/** Days written lately, at their number modulo the size; neighbours often have times of a few days by turns. */
const DAYS_KEPT = 256;
const keptDays = new Float64Array(DAYS_KEPT).fill(Number.NaN);
const keptTexts: string[] = Array(DAYS_KEPT).fill('');

/** `YYYY-MM-DDT` of a day since 1970. */
function dayText(day: number): string {
  const slot = day & (DAYS_KEPT - 1);
  if (keptDays[slot] !== day) {
    keptTexts[slot] = new Date(day * MS_PER_DAY).toISOString().slice(0, 11);
    keptDays[slot] = day;
  }
  return keptTexts[slot] ?? '';
}

function fractionText(nanos: number): string {
  if (nanos === 0) return '';
  const micros = Math.floor(nanos / 1000);
  const millis = Math.floor(micros / 1000);
  const third = nanos - micros * 1000;
  const second = micros - millis * 1000;
  if (third % 10 !== 0) return `.${threeDigits[millis]}${threeDigits[second]}${threeDigits[third]}`;
  return `.${threeDigits[millis]}${threeDigits[second]}${threeDigits[third]}`.replace(/0+$/, '');
}

let lastNs: bigint | null = null;
let lastText = '';

/** `2026-01-02T03:04:05.678Z`. A time outside the years 0 to 9999 is moved to the first or last second of them. */
export function formatGoTime(ns: bigint): string {
  if (ns === lastNs) return lastText;
  split(ns);
  const at = Math.min(Math.max(splitSecond, FIRST_SECOND), LAST_SECOND);
  const day = Math.floor(at / SECONDS_PER_DAY);
  const second = at - day * SECONDS_PER_DAY;
  const minute = Math.floor(second / 60);
  const hour = Math.floor(minute / 60);
  const clock = `${twoDigits[hour]}:${twoDigits[minute - hour * 60]}:${twoDigits[second - minute * 60]}`;
  lastText = `${dayText(day)}${clock}${fractionText(splitNanos)}Z`;
  lastNs = ns;
  return lastText;
}

let lastParsed = '';
let lastParsedNs = 0n;

/** Nanoseconds since 1970 of an RFC 3339 time with any offset. Throws REPOSITORY_DAMAGED for anything else. */
export function parseGoTime(text: string): bigint {
  if (text === lastParsed) return lastParsedNs;
  const { length } = text;
  // Z, or an offset like +01:00.
  const zoneAt = text.charCodeAt(length - 1) === 0x5a ? length - 1 : length - 6;
  const fractionDigits = zoneAt - 20;
  const isClock =
    text[10] === 'T' && text[13] === ':' && text[16] === ':' && (zoneAt === 19 || (zoneAt > 20 && text[19] === '.'));
  const hour = digitsAt(text, 11, 2);
  const minute = digitsAt(text, 14, 2);
  const second = digitsAt(text, 17, 2);
  const fraction = zoneAt === 19 ? 0 : digitsAt(text, 20, Math.min(9, fractionDigits));
  const at = dateSecond(text) + hour * 3600 + minute * 60 + second - offsetAt(text, zoneAt);
  if (!isClock || hour > 23 || minute > 59 || second > 60 || Number.isNaN(at + fraction)) throw notATime(text);
  const nanos = fractionDigits > 0 && fractionDigits < 9 ? fraction * 10 ** (9 - fractionDigits) : fraction;
  const parsed = join(at, nanos);
  lastParsed = text;
  lastParsedNs = parsed;
  return parsed;
}

/** NaN when there are others than digits. */
function digitsAt(text: string, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

/** Seconds east of Greenwich. */
function offsetAt(text: string, at: number): number {
  if (at === text.length - 1) return 0;
  const sign = text[at] === '+' ? 1 : text[at] === '-' ? -1 : Number.NaN;
  const colon = text[at + 3] === ':' ? 0 : Number.NaN;
  return sign * (digitsAt(text, at + 1, 2) * 3600 + digitsAt(text, at + 4, 2) * 60) + colon;
}

/** First second of the day that a text begins with; NaN when there is no such month or day. */
function dateSecond(text: string): number {
  const year = digitsAt(text, 0, 4);
  const month = digitsAt(text, 5, 2);
  const day = digitsAt(text, 8, 2);
  if (text[4] !== '-' || text[7] !== '-' || !(month >= 1 && month <= 12 && day >= 1 && day <= 31)) return Number.NaN;
  // Years that begin in March have their leap day at the end.
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const days = marchYear * 365 + leapDays + Math.floor((marchMonth * 153 + 2) / 5) + day - 1;
  return (days - DAYS_TO_1970) * SECONDS_PER_DAY;
}

function notATime(text: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `${JSON.stringify(text.slice(0, 60))} is not a time` });
}
