import { useLocation } from '@tanstack/react-router';
import { useState } from 'react';
import { useDiff, useSnapshots } from '../../api/repository-queries.ts';
import type { Repository, RepositorySnapshot, SnapshotChange } from '../../api/types.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { formatBytes, formatDateTime, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { SelectField } from '../../ui/Field.tsx';
import { Icon, type IconName } from '../../ui/Icon.tsx';

const looks: Readonly<Record<SnapshotChange['change'], readonly [IconName, string]>> = {
  added: ['plus', 'text-ok'],
  removed: ['dash', 'text-bad'],
  content: ['edit', 'text-run'],
  metadata: ['settings', 'text-ink-3'],
  type: ['refresh', 'text-warn'],
};

function sizeWords({ change, sizeBefore, sizeAfter }: SnapshotChange): string {
  const size = (bytes: number | null) => (bytes === null ? '–' : formatBytes(bytes));
  if (change === 'content' && sizeBefore !== sizeAfter) return `${size(sizeBefore)} → ${size(sizeAfter)}`;
  const only = sizeAfter ?? sizeBefore ?? 0;
  return only === 0 || change === 'metadata' ? '' : formatBytes(only);
}

function Change({ change }: { change: SnapshotChange }) {
  const [icon, tone] = looks[change.change];
  return (
    <li className="flex min-h-9 items-center gap-3 px-4 py-1 [contain-intrinsic-block-size:2.25rem] [content-visibility:auto]">
      <Icon name={icon} size={15} className={tone} />
      <span className="w-28 shrink-0 text-[13px] max-sm:sr-only">{t(`diff.${change.change}`)}</span>
      <span className="min-w-0 flex-1 font-mono text-[13px] [overflow-wrap:anywhere]">{change.path}</span>
      <span className="text-right text-[13px] whitespace-nowrap text-ink-2 tabular-nums">{sizeWords(change)}</span>
    </li>
  );
}

function Changes({ repositoryId, from, to }: { repositoryId: number; from: string; to: string }) {
  const query = useDiff(repositoryId, from, to);
  return (
    <Card flush className="mt-4">
      <QueryView query={query} rows={6}>
        {({ changes, added, removed, changed, truncated, unread }) => (
          <>
            <p className="border-b border-line px-4 py-3 font-medium">
              {t('diff.counts', {
                added: formatNumber(added),
                removed: formatNumber(removed),
                changed: formatNumber(changed),
              })}
            </p>
            {unread[0] && (
              <p className="border-b border-line px-4 py-2.5 text-[13px] text-bad">
                {t('diff.unread', { count: unread.length, path: unread[0].path || '/' })}
              </p>
            )}
            {changes.length === 0 && !unread[0] && <EmptyState icon="check" title={t('diff.same')} />}
            <ul className="divide-y divide-line/60">
              {changes.map((change) => (
                <Change key={change.path} change={change} />
              ))}
            </ul>
            {truncated && (
              <p className="border-t border-line px-4 py-2.5 text-[13px] text-ink-3">
                {t('diff.truncated', { count: changes.length })}
              </p>
            )}
          </>
        )}
      </QueryView>
    </Card>
  );
}

/** The one before of the same machine and folders, or any earlier one. */
function earlierThan(snapshots: readonly RepositorySnapshot[], id: string): string {
  const at = snapshots.findIndex((snapshot) => snapshot.id === id);
  const wanted = snapshots[at];
  const earlier = at < 0 ? [] : snapshots.slice(at + 1);
  const same = earlier.find(
    (one) => one.hostname === wanted?.hostname && one.paths.join('\n') === wanted.paths.join('\n'),
  );
  return (same ?? earlier[0])?.id ?? '';
}

const optionOf = ({ id, time, hostname, paths: folders }: RepositorySnapshot) => ({
  value: id,
  label: `${formatDateTime(time)} · ${hostname} · ${folders.join(', ')} · ${id.slice(0, 8)}`,
});

/** What changed from one snapshot to another. */
export function CompareTab({ repository }: { repository: Repository }) {
  const asked = useLocation().search as { from?: string; to?: string };
  const [chosen, choose] = useState<{ from?: string; to?: string }>({});
  const query = useSnapshots(repository.id, {}, 1000);
  if (repository.state === 'new') return <EmptyState icon="history" title={t('snapshot.none')} />;
  return (
    <QueryView query={query} rows={3}>
      {({ pages }) => {
        const snapshots = pages.flatMap((page) => page.items);
        if (snapshots.length < 2)
          return <EmptyState icon="history" title={t('diff.needsTwo')} text={t('diff.needsTwoText')} />;
        const to = chosen.to ?? asked.to ?? snapshots[0]?.id ?? '';
        const from = chosen.from ?? asked.from ?? earlierThan(snapshots, to);
        const options = snapshots.map(optionOf);
        return (
          <>
            <div className="grid gap-3 lg:grid-cols-2">
              <SelectField
                label={t('diff.from')}
                value={from}
                onChange={(value) => choose({ from: value, to })}
                options={from === '' ? [{ value: '', label: t('diff.choose') }, ...options] : options}
              />
              <SelectField
                label={t('diff.to')}
                value={to}
                onChange={(value) => choose({ from, to: value })}
                options={options}
              />
            </div>
            {from === to ? (
              <p className="mt-4 text-ink-2">{t('diff.sameSnapshot')}</p>
            ) : (
              from !== '' && <Changes repositoryId={repository.id} from={from} to={to} />
            )}
          </>
        );
      }}
    </QueryView>
  );
}
