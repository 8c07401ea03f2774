import type { DatabaseSession } from './jobs.ts';

/** For messages: `till from 10.0.0.7 with psql (77) since 2026-01-02T03:04:05Z`. */
export function describeSession({ id, user, address, program, since }: DatabaseSession): string {
  const parts = [
    user || 'somebody',
    address && `from ${address}`,
    `with ${program || 'process'} (${id})`,
    since && `since ${since}`,
  ];
  return parts.filter(Boolean).join(' ');
}
