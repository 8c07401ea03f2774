/** Durations and rates as people write them. Each answers null for text it does not understand. */

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `15s`, `1h30m`, `1.5h`, `7d` → milliseconds, never 0 (the notation agents in the field use, and days). */
export function parseDurationMs(text: string): number | null {
  const compact = text.trim().toLowerCase();
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(compact)) return null;
  let total = 0;
  for (const [, amount, unit = ''] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATION_MS[unit] ?? 0);
  }
  return total > 0 && Number.isSafeInteger(Math.round(total)) ? Math.round(total) : null;
}

/** The same, or `0`. */
export function parseDurationOrZero(text: string): number | null {
  return text.trim() === '0' ? 0 : parseDurationMs(text);
}

const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
};

/** `0`, `500K`, `10MB`, `10MiB/s` → bytes. */
export function parseBytesPerSecond(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?|)b?(?:\/s)?$/i.exec(text.trim());
  const unit = BYTES[(match?.[2] ?? '').toLowerCase()];
  return match && unit !== undefined ? Math.round(Number(match[1]) * unit) : null;
}
