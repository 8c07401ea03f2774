/** Query hooks of repositories; part of the same cache as `queries.ts`, fetched with the pages that need them. */
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { call } from './client.ts';
import { itemsOf } from './queries.ts';
import type { MaintenanceKind, RecordStatus } from './types.ts';

export const useRepositories = (enabled = true) =>
  useQuery({
    queryKey: ['repositories'],
    queryFn: ({ signal }) => call('repositories.list', { query: { pageSize: 200 }, signal }),
    select: itemsOf,
    enabled,
  });

/** Id 0 or null: none, nothing is asked. */
export const useRepository = (id: number | null) =>
  useQuery({
    queryKey: ['repository', id],
    queryFn: ({ signal }) => call('repositories.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null && id > 0,
  });

export interface SnapshotFilter {
  readonly hostname?: string;
  readonly tag?: string;
  readonly path?: string;
}

const SNAPSHOTS_A_PAGE = 50;

/** Newest first. The storage itself is asked, so it is not asked at every glance. */
export const useSnapshots = (id: number, filter: SnapshotFilter, pageSize = SNAPSHOTS_A_PAGE) =>
  useInfiniteQuery({
    queryKey: ['snapshots', id, filter, pageSize],
    queryFn: ({ pageParam, signal }) =>
      call('repositorySnapshots.list', {
        params: { id },
        query: { ...filter, offset: pageParam, limit: pageSize },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: (page, pages) => {
      const loaded = pages.reduce((sum, { items }) => sum + items.length, 0);
      return page.items.length > 0 && loaded < page.total ? loaded : undefined;
    },
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    retry: false,
  });

/** One snapshot of the list; there is no route for a single one. */
export const useSnapshot = (id: number, snapshotId: string) =>
  useQuery({
    queryKey: ['snapshots', id, 'one', snapshotId],
    queryFn: async ({ signal }) => {
      for (let offset = 0; ; offset += 1000) {
        const query = { offset, limit: 1000 };
        const { items, total } = await call('repositorySnapshots.list', { params: { id }, query, signal });
        const found = items.find((snapshot) => snapshot.id.startsWith(snapshotId));
        if (found) return found;
        if (items.length === 0 || offset + items.length >= total) return null;
      }
    },
    staleTime: 60_000,
    retry: false,
  });

/** Looks through every snapshot, which may take a minute; an empty pattern asks nothing. */
export const useFind = (id: number, pattern: string) =>
  useQuery({
    queryKey: ['find', id, pattern],
    queryFn: ({ signal }) =>
      call('repositorySnapshots.find', { params: { id }, query: { pattern, limit: 1000 }, signal }),
    enabled: pattern !== '',
    staleTime: 60_000,
    retry: false,
  });

export const useDiff = (id: number, from: string, to: string) =>
  useQuery({
    queryKey: ['diff', id, from, to],
    queryFn: ({ signal }) => call('repositorySnapshots.diff', { params: { id }, query: { from, to }, signal }),
    enabled: from !== '' && to !== '' && from !== to,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

export const useRepositoryKeys = (id: number) =>
  useQuery({
    queryKey: ['repository-keys', id],
    queryFn: ({ signal }) => call('repositoryActions.keys', { params: { id }, signal }),
    staleTime: 60_000,
    retry: false,
  });

export interface MaintenanceFilter {
  readonly repositoryId?: number;
  readonly kind?: MaintenanceKind;
  readonly status?: RecordStatus;
}

export const useMaintenanceRecords = (filter: MaintenanceFilter) =>
  useInfiniteQuery({
    queryKey: ['maintenance-records', filter],
    queryFn: ({ pageParam, signal }) =>
      call('maintenance.list', { query: { ...filter, pageSize: 50, cursor: pageParam || undefined }, signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });

export const useMaintenance = (id: number | null) =>
  useQuery({
    queryKey: ['maintenance', id],
    queryFn: ({ signal }) => call('maintenance.get', { params: { id: id ?? 0 }, signal }),
    enabled: id !== null,
  });
