import { Link } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useFind, useSnapshots } from '../../api/repository-queries.ts';
import { useUser } from '../../api/session.ts';
import type { FoundItem, Repository } from '../../api/types.ts';
import { EntryDownload } from '../../components/EntryDownload.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { SearchInput } from '../../components/SearchInput.tsx';
import { formatBytes, formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { groupByPath, patternFor } from './find-words.ts';

/** When each snapshot was taken, as far as the first page of them goes. */
function useTimes(repositoryId: number): ReadonlyMap<string, string> {
  const snapshots = useSnapshots(repositoryId, {}, 1000);
  return new Map(snapshots.data?.pages.flatMap((page) => page.items).map(({ id, time }) => [id, time]));
}

function Version({
  item,
  repository,
  times,
}: {
  item: FoundItem;
  repository: Repository;
  times: ReadonlyMap<string, string>;
}) {
  const user = useUser();
  const newest = item.snapshotIds.at(-1) ?? '';
  const time = times.get(newest);
  return (
    <li className="flex min-h-9 flex-wrap items-center gap-x-4 gap-y-0.5 pl-9 text-[13px]">
      <span className="tabular-nums sm:w-40">{item.modifiedAt ? formatDateTime(item.modifiedAt) : '–'}</span>
      <span className="text-ink-2 tabular-nums sm:w-20 sm:text-right">
        {item.type === 'file' ? formatBytes(item.size) : ''}
      </span>
      <span className="min-w-0 flex-1 text-ink-3">
        {t('find.inSnapshots', { count: item.snapshotIds.length })}{' '}
        <Link to={paths.snapshot(repository.id, newest)} className="text-accent-ink hover:underline">
          {time ? formatDateTime(time) : newest.slice(0, 8)}
        </Link>
      </span>
      {user.can('operator') && repository.isReachableFromMaster && (
        <EntryDownload place={{ repositoryId: repository.id, snapshotId: newest }} entry={item} />
      )}
    </li>
  );
}

function Hits({ hits, repository }: { hits: readonly FoundItem[]; repository: Repository }) {
  const times = useTimes(repository.id);
  return (
    <ul className="divide-y divide-line">
      {groupByPath(hits).map(([path, versions]) => (
        <li key={path} className="px-4 py-2.5">
          <div className="flex items-center gap-3">
            <Icon
              name={versions[0]?.type === 'directory' ? 'folder' : 'file'}
              className={versions[0]?.type === 'directory' ? 'text-accent-ink' : 'text-ink-3'}
            />
            <span className="min-w-0 flex-1 font-mono text-[13px] [overflow-wrap:anywhere]">{path}</span>
            {versions.length > 1 && (
              <span className="text-[13px] whitespace-nowrap text-ink-3">
                {t('find.versions', { count: versions.length })}
              </span>
            )}
          </div>
          <ul className="mt-1">
            {versions.map((item) => (
              <Version key={item.snapshotIds[0]} item={item} repository={repository} times={times} />
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

/** A file by its name, through every snapshot, with all its versions. */
export function FindTab({ repository }: { repository: Repository }) {
  const [typed, setTyped] = useState('');
  const [pattern, setPattern] = useState('');
  const query = useFind(repository.id, pattern);
  const search = (event: FormEvent) => {
    event.preventDefault();
    setPattern(patternFor(typed));
  };
  return (
    <Card flush>
      <form onSubmit={search} className="border-b border-line p-3">
        <div className="flex flex-wrap gap-2">
          <SearchInput label={t('find.placeholder')} value={typed} onChange={setTyped} />
          <Button type="submit" kind="primary" icon="search" busy={query.isFetching} disabled={typed.trim() === ''}>
            {t('find.search')}
          </Button>
        </div>
        <p className="mt-2 text-[13px] text-ink-3">{t('find.help')}</p>
      </form>
      {pattern === '' ? (
        <p className="px-4 py-10 text-center text-ink-2">{t('find.start')}</p>
      ) : (
        <QueryView query={query} rows={6}>
          {({ hits, truncated, unread }) => (
            <>
              {hits.length === 0 && (
                <p className="px-4 py-10 text-center text-ink-2">{t('find.nothing', { pattern })}</p>
              )}
              {truncated && (
                <p className="border-b border-line px-4 py-2.5 text-[13px] text-warn">{t('find.truncated')}</p>
              )}
              {unread[0] && (
                <p className="border-b border-line px-4 py-2.5 text-[13px] text-bad">
                  {t('find.unread', { count: unread.length, path: unread[0].path || '/' })}
                </p>
              )}
              <Hits hits={hits} repository={repository} />
            </>
          )}
        </QueryView>
      )}
    </Card>
  );
}
