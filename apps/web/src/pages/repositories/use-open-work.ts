import { useNavigate } from '@tanstack/react-router';
import { paths } from '../../components/paths.ts';

/** Query keys that are stale once work on a repository has begun. */
export const WORK_STALE = ['repositories', 'repository', 'maintenance-records'] as const;

/** Goes to the page of work that was just started, where its log grows. */
export function useOpenWork(): { onSuccess: (record: { id: number }) => void } {
  const navigate = useNavigate();
  return { onSuccess: ({ id }) => void navigate({ to: paths.maintenanceRecord(id) }) };
}
