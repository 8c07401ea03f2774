import { parseDurationOrZero } from '@backupx/contracts/parse-units';
import { InvalidArgumentError } from 'commander';

/** A positive whole number below 2^32. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value >= 2 ** 32)
    throw new InvalidArgumentError('Expected a whole number.');
  return value;
}

/** The same, or 0. */
export function parseCountOrZero(text: string): number {
  return text.trim() === '0' ? 0 : parseCount(text);
}

/** A level of niceness. */
export function parseNice(text: string): number {
  const value = parseCountOrZero(text);
  if (value > 19) throw new InvalidArgumentError('Expected a number from 0 to 19.');
  return value;
}

/** A TCP port. */
export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('Expected a port number.');
  return value;
}

/** Collects the values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Milliseconds of `15m`, `90s`, or 0. */
export function parseDuration(text: string): number {
  const ms = parseDurationOrZero(text);
  if (ms === null) throw new InvalidArgumentError('Expected a duration like 15m or 90s, or 0.');
  return ms;
}

/** Bytes, also as `500M` or `10G`. */
export function parseSize(text: string): number {
  const match = /^(\d+)([kmgt]?)(?:i?b)?$/i.exec(text);
  if (!match) throw new InvalidArgumentError('Expected a size like 500M or 10G.');
  return Number(match[1]) * 1024 ** ' kmgt'.indexOf((match[2] ?? '').toLowerCase() || ' ');
}
