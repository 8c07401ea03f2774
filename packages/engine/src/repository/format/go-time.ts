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

/** Nanoseconds since 1970 of an RFC 3339 time with any offset. Throws REPOSITORY_DAMAGED for anything else. */
export function parseGoTime(text: string): bigint {
  const bytes = Buffer.from(text, 'utf8');
  return parseTimeBytes(bytes, 0, bytes.length);
}

/** Nanoseconds of one in the last of so many decimals. */
const FRACTION_UNITS = [0, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 10, 1];

/** The same for the bytes from `from` to `to`. */
export function parseTimeBytes(bytes: Uint8Array, from: number, to: number): bigint {
  // Z, or an offset like +01:00.
  const zoneAt = bytes[to - 1] === 0x5a ? to - 1 : to - 6;
  const fractionAt = from + 20;
  const hasFraction = zoneAt > fractionAt && bytes[from + 19] === 0x2e;
  const hour = twoDigitsAt(bytes, from + 11);
  const minute = twoDigitsAt(bytes, from + 14);
  const second = twoDigitsAt(bytes, from + 17);
  const digits = hasFraction ? Math.min(9, zoneAt - fractionAt) : 0;
  const nanos = numberAt(bytes, fractionAt, digits) * (FRACTION_UNITS[digits] ?? 0);
  const clock = hour * 3600 + minute * 60 + second;
  const at = daysAt(bytes, from) * SECONDS_PER_DAY + clock - offsetAt(bytes, zoneAt, to);
  const isWhole = hasFraction || zoneAt === from + 19;
  if (!isWhole || !hasMarks(bytes, from) || hour > 23 || minute > 59 || second > 60 || Number.isNaN(at + nanos)) {
    throw notATime(Buffer.from(bytes.subarray(from, to)).toString());
  }
  return join(at, nanos);
}

/** `YYYY-MM-DDTHH:MM:SS`. */
function hasMarks(bytes: Uint8Array, from: number): boolean {
  const hasDate = bytes[from + 4] === 0x2d && bytes[from + 7] === 0x2d && bytes[from + 10] === 0x54;
  return hasDate && bytes[from + 13] === 0x3a && bytes[from + 16] === 0x3a;
}

/** NaN when there are others than digits. */
function twoDigitsAt(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] ?? 0) - 0x30;
  const low = (bytes[at + 1] ?? 0) - 0x30;
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN;
}

function numberAt(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Seconds east of Greenwich. */
function offsetAt(bytes: Uint8Array, at: number, to: number): number {
  if (at === to - 1) return 0;
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : Number.NaN;
  const colon = bytes[at + 3] === 0x3a ? 0 : Number.NaN;
  return sign * (twoDigitsAt(bytes, at + 1) * 3600 + twoDigitsAt(bytes, at + 4) * 60) + colon;
}

/** Days from 1970 to a date; NaN when there is no such month or day. */
function daysAt(bytes: Uint8Array, from: number): number {
  const year = twoDigitsAt(bytes, from) * 100 + twoDigitsAt(bytes, from + 2);
  const month = twoDigitsAt(bytes, from + 5);
  const day = twoDigitsAt(bytes, from + 8);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31)) return Number.NaN;
  // Years that begin in March have their leap day at the end.
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((marchMonth * 153 + 2) / 5) + day - 1 - DAYS_TO_1970;
}

function notATime(text: string): AppError {
  return new AppError('REPOSITORY_DAMAGED', { reason: `${JSON.stringify(text.slice(0, 60))} is not a time` });
}
