import { useDeferredValue, useState } from 'react';
import { useAuditLog } from '../../api/queries.ts';
import type { AuditEntry } from '../../api/types.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { SearchInput } from '../../components/SearchInput.tsx';
import { Badge } from '../../components/Status.tsx';
import { formatDateTime, formatNumber } from '../../i18n/format.ts';
import { hasMessage, t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable } from '../../ui/DataTable.tsx';

const PAGE_SIZE = 50;

/** An action a newer server writes is shown by its code. */
function actionWords(action: string): string {
  const key = `auditAction.${action}`;
  return hasMessage(key) ? t(key as 'auditAction.task.run') : action;
}

function columns(): readonly Column<AuditEntry>[] {
  return [
    {
      id: 'action',
      title: t('audit.action'),
      lead: true,
      cell: (entry) => (
        <div>
          <p className="font-medium" title={entry.action}>
            {actionWords(entry.action)}
          </p>
          <p className="text-[13px] [overflow-wrap:anywhere] text-ink-3">
            {[entry.target, entry.detail].filter(Boolean).join(' · ')}
          </p>
        </div>
      ),
    },
    {
      id: 'outcome',
      title: t('audit.outcome'),
      cell: (entry) => (
        <Badge
          look={entry.outcome === 'success' ? { tone: 'ok', icon: 'check-circle' } : { tone: 'bad', icon: 'x-circle' }}
          word={entry.outcome === 'success' ? t('audit.success') : t('audit.failure')}
        />
      ),
    },
    {
      id: 'user',
      title: t('audit.user'),
      cell: (entry) =>
        entry.via === 'token' || entry.via === 'api_key'
          ? t('audit.byScript', { name: entry.username })
          : entry.username || '–',
    },
    {
      id: 'ip',
      title: t('audit.from'),
      hideBelow: 'lg',
      cell: (entry) => <span className="font-mono text-[13px]">{entry.ipAddress}</span>,
    },
    {
      id: 'at',
      title: t('audit.at'),
      cell: (entry) => (
        <time dateTime={entry.at} className="whitespace-nowrap">
          {formatDateTime(entry.at)}
        </time>
      ),
    },
  ];
}

/** Who changed what, when and from where. */
export function AuditTab() {
  const [search, setSearch] = useState('');
  const [page, setPage] = useState(1);
  const query = useAuditLog(page, useDeferredValue(search.trim()));
  return (
    <Card flush>
      <div className="border-b border-line p-3">
        <SearchInput
          label={t('audit.search')}
          value={search}
          onChange={(value) => {
            setSearch(value);
            setPage(1);
          }}
        />
      </div>
      <QueryView query={query} rows={8}>
        {({ items, total }) => {
          if (items.length === 0) return <EmptyState icon="search" title={t('audit.none')} />;
          const pages = Math.max(1, Math.ceil(total / PAGE_SIZE));
          return (
            <>
              <DataTable label={t('settings.audit')} columns={columns()} rows={items} rowKey={(entry) => entry.id} />
              <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line p-3">
                <span className="text-[13px] text-ink-3">
                  {t('audit.page', { page: formatNumber(page), pages: formatNumber(pages) })}
                </span>
                <span className="flex gap-2">
                  <Button small disabled={page <= 1} onClick={() => setPage(page - 1)}>
                    {t('audit.newer')}
                  </Button>
                  <Button small disabled={page >= pages} onClick={() => setPage(page + 1)}>
                    {t('audit.older')}
                  </Button>
                </span>
              </div>
            </>
          );
        }}
      </QueryView>
    </Card>
  );
}
