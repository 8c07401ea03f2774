import { useParams } from '@tanstack/react-router';

/** A number from the address (`/tasks/$id`), or null when it is missing or no number. */
export function useIdParam(name = 'id'): number | null {
  const params = useParams({ strict: false }) as Record<string, string | undefined>;
  const value = Number(params[name]);
  return Number.isInteger(value) && value > 0 ? value : null;
}
