/** Query hooks: one per thing a page shows. Keys start with the resource's name so that live events can find them. */
import { keepPreviousData, QueryClient, useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { ApiError, call } from './client.ts';
import type { AnswerOf, InputOf, RouteName } from './route-table.ts';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => count < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
    },
    mutations: { retry: false },
  },
});

/** A list that is paged or bare, as an array. */
export function itemsOf<T>(answer: readonly T[] | { items: readonly T[] } | undefined): readonly T[] {
  if (!answer) return [];
  return 'items' in answer ? answer.items : answer;
}

export const useOverview = () =>
  useQuery({
    queryKey: ['overview'],
    queryFn: ({ signal }) => call('dashboard.overview', { signal }),
    refetchInterval: 60_000,
  });

export const useTasks = (q = '') =>
  useQuery({
    queryKey: ['tasks', q],
    queryFn: ({ signal }) => call('tasks.list', { query: { q: q || undefined, pageSize: 200 }, signal }),
    placeholderData: keepPreviousData,
  });

export const useTask = (id: number | null) =>
  useQuery({
    queryKey: ['task', id],
    queryFn: ({ signal }) => call('tasks.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null,
  });

export interface RecordFilter {
  readonly taskId?: number;
  readonly status?: 'running' | 'success' | 'warning' | 'failed' | 'cancelled' | 'interrupted';
  readonly restorable?: boolean;
  readonly pageSize?: number;
}

export const useRecords = ({ restorable, pageSize = 50, ...filter }: RecordFilter) =>
  useInfiniteQuery({
    queryKey: ['records', { ...filter, restorable, pageSize }],
    queryFn: ({ pageParam, signal }) =>
      call('records.list', {
        query: { ...filter, pageSize, cursor: pageParam || undefined, restorable: restorable ? 'true' : undefined },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });

export const useRestores = ({ taskId, status }: Pick<RecordFilter, 'taskId' | 'status'>, enabled = true) =>
  useInfiniteQuery({
    queryKey: ['restores', { taskId, status }],
    queryFn: ({ pageParam, signal }) =>
      call('restores.list', { query: { taskId, status, pageSize: 50, cursor: pageParam || undefined }, signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
    enabled,
  });

export const useRecord = (id: number | null) =>
  useQuery({
    queryKey: ['record', id],
    queryFn: ({ signal }) => call('records.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null,
  });

export const useRestore = (id: number) =>
  useQuery({
    queryKey: ['restore', id],
    queryFn: ({ signal }) => call('restores.get', { params: { id }, signal }),
  });

/** Whose contents are looked at: those of a record, or of a snapshot whoever made it. */
export type ContentsSource =
  | { readonly recordId: number }
  | { readonly repositoryId: number; readonly snapshotId: string };

export const useContents = (source: ContentsSource, input: { path: string; q?: string }) =>
  useInfiniteQuery({
    queryKey: ['contents', source, input],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...input, offset: pageParam, limit: 200 };
      if ('recordId' in source) return call('records.contents', { params: { id: source.recordId }, query, signal });
      const { repositoryId: id, snapshotId } = source;
      return call('repositorySnapshots.contents', { params: { id, snapshotId }, query, signal });
    },
    initialPageParam: 0,
    getNextPageParam: (page) => page.nextOffset ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });

export const useNodes = () =>
  useQuery({ queryKey: ['nodes'], queryFn: ({ signal }) => call('nodes.list', { signal }), select: itemsOf });

export const useNode = (id: number | null) =>
  useQuery({
    queryKey: ['nodes', id],
    queryFn: ({ signal }) => call('nodes.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null,
  });

export const useDirectory = (nodeId: number, path: string, enabled: boolean) =>
  useQuery({
    queryKey: ['directory', nodeId, path],
    queryFn: ({ signal }) => call('nodes.listDirectory', { params: { id: nodeId }, query: { path }, signal }),
    enabled,
    retry: false,
  });

export const useStorageTargets = () =>
  useQuery({
    queryKey: ['storage-targets'],
    queryFn: ({ signal }) => call('storageTargets.list', { signal }),
    select: itemsOf,
  });

export const useStorageUsage = (id: number) =>
  useQuery({
    queryKey: ['storage-usage', id],
    queryFn: ({ signal }) => call('storageTargets.usage', { params: { id }, signal }),
    retry: false,
    staleTime: 60_000,
  });

export const useDrivers = () =>
  useQuery({
    queryKey: ['drivers'],
    queryFn: ({ signal }) => call('drivers.list', { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const useSchedulePreview = (cronExpr: string, timezone: string) =>
  useQuery({
    queryKey: ['schedule', cronExpr, timezone],
    queryFn: ({ signal }) => call('tasks.previewSchedule', { body: { cronExpr, timezone, count: 5 }, signal }),
    enabled: cronExpr !== '',
    retry: false,
    staleTime: 60_000,
  });

export const useSettings = () =>
  useQuery({ queryKey: ['settings'], queryFn: ({ signal }) => call('settings.get', { signal }), staleTime: 60_000 });

export const useSystemInfo = () =>
  useQuery({ queryKey: ['system'], queryFn: ({ signal }) => call('system.info', { signal }), staleTime: 60_000 });

export const useRecoveryKitStatus = () =>
  useQuery({ queryKey: ['recovery-kit'], queryFn: ({ signal }) => call('system.recoveryKitStatus', { signal }) });

export const useUsers = () =>
  useQuery({ queryKey: ['users'], queryFn: ({ signal }) => call('users.list', { signal }), select: itemsOf });

export const useApiKeys = () =>
  useQuery({ queryKey: ['api-keys'], queryFn: ({ signal }) => call('apiKeys.list', { signal }), select: itemsOf });

export const useAuditLog = (page: number, q: string) =>
  useQuery({
    queryKey: ['audit', page, q],
    queryFn: ({ signal }) => call('audit.list', { query: { page, pageSize: 50, q: q || undefined }, signal }),
    placeholderData: keepPreviousData,
  });

/** A changing call; `refresh` names the query keys that are stale afterwards. */
export function useChange<N extends RouteName>(name: N, refresh: readonly string[]) {
  return useMutation<AnswerOf<N>, unknown, InputOf<N>>({
    mutationFn: (input) => call(name, input),
    onSettled: () => {
      for (const key of refresh) void queryClient.invalidateQueries({ queryKey: [key] });
    },
  });
}
