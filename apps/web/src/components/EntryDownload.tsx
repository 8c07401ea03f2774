import type { ArtifactEntry } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { Icon } from '../ui/Icon.tsx';

export interface SnapshotPlace {
  readonly repositoryId: number;
  readonly snapshotId: string;
}

/** Address of a download out of a snapshot; an empty path is all of it. */
export function snapshotDownload(
  { repositoryId, snapshotId }: SnapshotPlace,
  format: 'tar' | 'zip' | 'raw',
  path = '',
): string {
  const query = new URLSearchParams(path === '' ? { format } : { path, format });
  return `/api/repositories/${repositoryId}/snapshots/${snapshotId}/download?${query}`;
}

const look =
  'inline-flex h-7 min-w-7 items-center justify-center rounded-md px-1 text-xs text-ink-2 hover:bg-raised hover:text-ink';

/** A file as it is, a folder as an archive of either kind; what is neither has nothing to download. */
export function EntryDownload({
  place,
  entry,
}: {
  place: SnapshotPlace;
  entry: Pick<ArtifactEntry, 'path' | 'name' | 'type'>;
}) {
  const { name, path, type } = entry;
  if (type === 'file' || type === 'hardlink') {
    const label = t('download.file', { name });
    return (
      <span className="flex w-16 shrink-0 justify-end">
        <a href={snapshotDownload(place, 'raw', path)} download aria-label={label} title={label} className={look}>
          <Icon name="download" size={15} />
        </a>
      </span>
    );
  }
  return (
    <span className="flex w-16 shrink-0 justify-end">
      {type === 'directory' &&
        (['zip', 'tar'] as const).map((format) => {
          const label = t('download.folder', { name, format });
          return (
            <a
              key={format}
              href={snapshotDownload(place, format, path)}
              download
              aria-label={label}
              title={label}
              className={look}
            >
              {format}
            </a>
          );
        })}
    </span>
  );
}
