import type { ReactNode } from 'react';
import { t } from '../i18n/i18n.ts';
import { Skeleton } from '../ui/Card.tsx';
import { ErrorBox } from './ErrorBox.tsx';

interface Query<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Skeleton, error with Retry, or the data; old data stays visible when a refresh fails. */
export function QueryView<T>({
  query,
  rows,
  children,
}: {
  query: Query<T>;
  rows?: number;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) {
    return (
      <div className="p-4">
        <ErrorBox error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  }
  return <Skeleton rows={rows} label={t('state.loading')} />;
}
