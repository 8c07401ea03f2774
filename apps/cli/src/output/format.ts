/** How numbers and times are written for people. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1.2 GiB` */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[unit]}`;
}

/** `0:09`, `12:30`, `3:05:00` */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

/** `5 min ago`, `in 9 h`; `-` for null. */
export function formatRelative(time: string | null, now: Date): string {
  if (time === null) return '-';
  const seconds = (new Date(time).getTime() - now.getTime()) / 1000;
  const distance = Math.abs(seconds);
  if (distance < 5) return 'now';
  const [amount, unit] =
    distance < 60
      ? [distance, 's']
      : distance < 3600
        ? [distance / 60, 'min']
        : distance < 172_800
          ? [distance / 3600, 'h']
          : [distance / 86_400, 'd'];
  const text = `${Math.floor(amount as number)} ${unit}`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

/** Columns aligned with two spaces between them; the first row is the heading. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Text from elsewhere cannot steer the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}
