import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { call } from './client.ts';
import type { RecordStatus } from './types.ts';

export interface VerifyFilter {
  readonly recordId?: number;
  readonly taskId?: number;
  readonly status?: RecordStatus;
}

export const useVerifications = (filter: VerifyFilter) =>
  useInfiniteQuery({
    queryKey: ['verifications', filter],
    queryFn: ({ pageParam, signal }) =>
      call('verifications.list', { query: { ...filter, pageSize: 50, cursor: pageParam || undefined }, signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });

export const useVerification = (id: number | null) =>
  useQuery({
    queryKey: ['verification', id],
    queryFn: ({ signal }) => call('verifications.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null,
  });
