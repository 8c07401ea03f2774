/** When scheduled maintenance may start: a window of the day in the installation's zone. */

/** Minutes since midnight in `timezone`. */
function minuteOfDay(at: Date, timezone: string): number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return minutesOf(format.format(at));
}

function minutesOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
}

/** `window` is `22:00-06:00`, which may pass midnight; empty, or twice the same time: always. The end is outside. */
export function isInWindow(window: string, timezone: string, at: Date): boolean {
  const [from, until] = window.split('-').map(minutesOf);
  if (window === '' || from === undefined || until === undefined || from === until) return true;
  const now = minuteOfDay(at, timezone);
  return from < until ? now >= from && now < until : now >= from || now < until;
}
