/**
 * Live updates: one event stream for the whole console. Progress goes into a small store of its own (twice a second
 * per run would be wasteful in the query cache); every other event marks the queries it concerns as stale. While the
 * stream is down the visible queries are asked again every five seconds and `useStreamState` says `paused`.
 */
import { useEffect, useSyncExternalStore } from 'react';
import { openEventStream, type StreamState } from './event-stream.ts';
import { queryClient } from './queries.ts';
import type { ConsoleEvent, JobProgress, RunKind } from './types.ts';

const POLL_MS = 5000;
let streamState: StreamState = 'connecting';
const progress = new Map<string, JobProgress>();
const listeners = new Set<() => void>();

function notify(): void {
  for (const listener of listeners) listener();
}
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function refresh(...keys: readonly (readonly unknown[])[]): void {
  for (const queryKey of keys) void queryClient.invalidateQueries({ queryKey });
}

/** Query keys that an event makes stale. */
export function staleKeys(event: ConsoleEvent): readonly (readonly unknown[])[] {
  switch (event.type) {
    case 'record_changed':
      return [
        ['record', event.recordId],
        ['records'],
        ['overview'],
        ['tasks'],
        ['task', event.taskId],
        ['recovery-kit'],
      ];
    case 'record_deleted':
      return [['records'], ['overview'], ['storage-targets']];
    case 'restore_changed':
      return [['restore', event.restoreRecordId], ['restores']];
    case 'node_changed':
      return [['nodes'], ['overview']];
    case 'task_changed':
      return [['tasks'], ['task', event.taskId], ['overview']];
    case 'storage_target_changed':
      return [['storage-targets']];
    case 'repository_changed':
      return [['repositories'], ['repository', event.repositoryId], ['snapshots', event.repositoryId], ['overview']];
    case 'maintenance_changed':
      return [
        ['maintenance', event.maintenanceRecordId],
        ['maintenance-records'],
        ['repositories'],
        ['repository', event.repositoryId],
        ['snapshots', event.repositoryId],
        ['overview'],
      ];
    case 'verify_changed':
      return [
        ['verification', event.verifyRecordId],
        ['verifications'],
        ['record', event.recordId],
        ['records'],
        ['tasks'],
        ['task', event.taskId],
        ['overview'],
      ];
    case 'verify_progress':
    case 'maintenance_progress':
    case 'record_progress':
    case 'restore_progress':
      return [];
    default: {
      const unknown: never = event;
      return unknown ? [[]] : [];
    }
  }
}

function take(data: string): void {
  let event: ConsoleEvent;
  try {
    event = JSON.parse(data) as ConsoleEvent;
  } catch {
    return;
  }
  if (event.type === 'record_progress') progress.set(`record ${event.recordId}`, event.progress);
  else if (event.type === 'restore_progress') progress.set(`restore ${event.restoreRecordId}`, event.progress);
  else if (event.type === 'maintenance_progress')
    progress.set(`maintenance ${event.maintenanceRecordId}`, event.progress);
  else if (event.type === 'verify_progress') progress.set(`verify ${event.verifyRecordId}`, event.progress);
  else refresh(...staleKeys(event));
  notify();
}

/** Keeps the stream open while the component lives; mount once. */
export function useLiveUpdates(): void {
  useEffect(() => {
    let poll: ReturnType<typeof setInterval> | undefined;
    const close = openEventStream({
      url: '/api/events/stream',
      onEvent: (event) => take(event.data),
      onState: (state) => {
        const wasPaused = streamState === 'paused';
        streamState = state;
        clearInterval(poll);
        if (state === 'paused') poll = setInterval(() => refresh([]), POLL_MS);
        // The replay reaches back only so far: after a gap everything on screen is asked once more.
        if (state === 'live' && wasPaused) refresh([]);
        notify();
      },
    });
    return () => {
      clearInterval(poll);
      close();
    };
  }, []);
}

export function useStreamState(): StreamState {
  return useSyncExternalStore(subscribe, () => streamState);
}

/** The newest progress of a run: from the stream, or what the last answer said. */
export function useProgress(kind: RunKind, id: number, known: JobProgress | null): JobProgress | null {
  return useSyncExternalStore(subscribe, () => progress.get(`${kind} ${id}`)) ?? known;
}
