import { useDeferredValue, useEffect, useState } from 'react';
import { type ContentsSource, useContents } from '../api/queries.ts';
import type { ArtifactEntry } from '../api/types.ts';
import { formatBytes, formatDateTime } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Card } from '../ui/Card.tsx';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { EntryDownload, type SnapshotPlace } from './EntryDownload.tsx';
import { LoadMore } from './LoadMore.tsx';
import { QueryView } from './QueryView.tsx';
import { SearchInput } from './SearchInput.tsx';

export type Basket = ReadonlyMap<string, ArtifactEntry>;

/** The chosen folder that already contains `path`, if any. */
export function chosenAncestor(basket: Basket, path: string): string | undefined {
  for (let cut = path.lastIndexOf('/'); cut >= 0; cut = path.lastIndexOf('/', cut - 1)) {
    const parent = path.slice(0, cut) || '/';
    if (parent !== path && basket.has(parent)) return parent;
    if (cut === 0) return undefined;
  }
  return undefined;
}

/** Adds or removes an entry; adding a folder drops what was chosen inside it. */
export function toggleEntry(basket: Basket, entry: ArtifactEntry): Basket {
  const next = new Map(basket);
  if (next.delete(entry.path)) return next;
  const inside = entry.path === '/' ? '/' : `${entry.path}/`;
  for (const path of basket.keys()) if (path.startsWith(inside)) next.delete(path);
  return next.set(entry.path, entry);
}

/** Where to go on by itself: the one folder that is all there is; null: there is something to choose from. */
export function folderAhead(entries: readonly Pick<ArtifactEntry, 'path' | 'type'>[]): string | null {
  const [only, ...more] = entries;
  return only?.type === 'directory' && more.length === 0 ? only.path : null;
}

function iconOf(entry: ArtifactEntry): IconName {
  if (entry.type === 'directory') return 'folder';
  return entry.type === 'symlink' || entry.type === 'hardlink' ? 'link' : 'file';
}

function Entry({
  entry,
  basket,
  downloads,
  onToggle,
  onOpen,
  showPath,
}: {
  entry: ArtifactEntry;
  basket: Basket;
  downloads: SnapshotPlace | undefined;
  onToggle: () => void;
  onOpen: () => void;
  showPath: boolean;
}) {
  const within = chosenAncestor(basket, entry.path);
  const name = showPath ? entry.path : entry.name;
  return (
    <li className="flex min-h-10 items-center gap-3 px-4 hover:bg-raised/50">
      <input
        type="checkbox"
        aria-label={t('contents.select', { name: entry.name })}
        checked={within !== undefined || basket.has(entry.path)}
        disabled={within !== undefined}
        onChange={onToggle}
        className="size-4 accent-accent"
      />
      <Icon name={iconOf(entry)} className={entry.type === 'directory' ? 'text-accent-ink' : 'text-ink-3'} />
      {entry.type === 'directory' ? (
        <button
          type="button"
          onClick={onOpen}
          className="min-h-8 min-w-0 flex-1 truncate text-left font-medium hover:underline"
        >
          {name}
        </button>
      ) : (
        <span className="min-w-0 flex-1 truncate" title={entry.path}>
          {name}
          {entry.linkTarget && <span className="text-ink-3">{` → ${entry.linkTarget}`}</span>}
        </span>
      )}
      <span className="text-[13px] text-ink-3 tabular-nums max-sm:hidden">
        {entry.modifiedAt && formatDateTime(entry.modifiedAt)}
      </span>
      <span className="w-20 text-right text-[13px] text-ink-2 tabular-nums">
        {entry.type === 'file' ? formatBytes(entry.size) : ''}
      </span>
      {downloads && <EntryDownload place={downloads} entry={entry} />}
    </li>
  );
}

/** `/srv/www` as steps back to the root. */
function Breadcrumb({ path, root, onOpen }: { path: string; root: string; onOpen: (path: string) => void }) {
  const parts = path.split('/').filter(Boolean);
  const step = 'min-h-6 rounded px-1 hover:bg-raised hover:underline';
  return (
    <nav aria-label={t('contents.where')} className="flex flex-wrap items-center gap-0.5 text-[13px]">
      <button type="button" className={step} onClick={() => onOpen('')}>
        {root}
      </button>
      {parts.map((part, index) => {
        const to = `${path.startsWith('/') ? '/' : ''}${parts.slice(0, index + 1).join('/')}`;
        return (
          <span key={to} className="flex items-center gap-0.5">
            <Icon name="chevron-right" size={12} className="text-ink-3" />
            <button
              type="button"
              className={step}
              onClick={() => onOpen(to)}
              aria-current={to === path ? 'location' : undefined}
            >
              {part}
            </button>
          </span>
        );
      })}
    </nav>
  );
}

/** The contents of a backup, folder by folder or by search, with checkboxes. */
export function ContentsBrowser({
  source,
  downloads,
  start,
  goesAhead = false,
  basket,
  onChange,
  words = { root: t('contents.root'), search: t('contents.search') },
}: {
  source: ContentsSource;
  /** The snapshot from which single items may be downloaded; missing: none. */
  downloads?: SnapshotPlace;
  /** The folder shown first; empty: the roots. */
  start: string;
  /** From there through folders that hold nothing but one folder. */
  goesAhead?: boolean;
  basket: Basket;
  onChange: (basket: Basket) => void;
  /** For what is no tree of files. */
  words?: { readonly root: string; readonly search: string };
}) {
  const [path, setPath] = useState(start);
  const [search, setSearch] = useState('');
  const q = useDeferredValue(search.trim());
  const query = useContents(source, q ? { path: '', q } : { path });
  // Until somebody has gone anywhere himself.
  const [isArriving, setArriving] = useState(goesAhead);
  const isListed = isArriving && q === '' && !query.hasNextPage;
  const ahead = isListed ? folderAhead((query.data?.pages ?? []).flatMap((page) => page.entries)) : null;
  useEffect(() => {
    if (ahead !== null) setPath(ahead);
  }, [ahead]);
  const open = (next: string) => {
    setArriving(false);
    setSearch('');
    setPath(next);
  };
  return (
    <Card flush>
      <div className="space-y-2 border-b border-line p-3">
        <SearchInput label={words.search} value={search} onChange={setSearch} />
        <Breadcrumb path={path} root={words.root} onOpen={open} />
      </div>
      <QueryView query={query} rows={8}>
        {({ pages }) => {
          const entries = pages.flatMap((page) => page.entries);
          return (
            <>
              {entries.length === 0 && (
                <p className="px-4 py-10 text-center text-ink-2">
                  {q ? t('contents.noMatch', { q }) : t('contents.empty')}
                </p>
              )}
              <ul className="divide-y divide-line/60">
                {entries.map((entry) => (
                  <Entry
                    key={entry.path}
                    entry={entry}
                    basket={basket}
                    downloads={downloads}
                    showPath={q !== '' || path === ''}
                    onToggle={() => onChange(toggleEntry(basket, entry))}
                    onOpen={() => open(entry.path)}
                  />
                ))}
              </ul>
              <LoadMore query={query} />
            </>
          );
        }}
      </QueryView>
    </Card>
  );
}
