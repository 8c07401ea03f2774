import { useNow } from '../api/use-now.ts';
import { formatDateTime, formatRelative } from '../i18n/format.ts';

/** A moment relative to now; the exact time is in the title. */
export function Time({ at, empty = '–' }: { at: string | null; empty?: string }) {
  const present = useNow();
  if (!at) return <span className="text-ink-3">{empty}</span>;
  return (
    <time dateTime={at} title={formatDateTime(at)} className="whitespace-nowrap">
      {formatRelative(at, present)}
    </time>
  );
}
