import type { RepositoryAccess, StoredArtifact } from '@backupx/contracts/jobs';

/** What `<snapshot>[:path]` says. */
export interface SnapshotPlace {
  /** Id, its beginning, or `latest`. */
  readonly snapshotId: string;
  /** Null: the whole snapshot. */
  readonly path: string | null;
}

/** `latest`, `3f2a`, `3f2a:/srv/www` */
export function parseSnapshotPlace(text: string): SnapshotPlace {
  const colon = text.indexOf(':');
  if (colon < 0) return { snapshotId: text, path: null };
  const path = text.slice(colon + 1).replace(/\/+$/, '');
  return { snapshotId: text.slice(0, colon), path: path === '' ? null : path };
}

/** A snapshot as browsing and restoring know it. */
export function snapshotArtifact(repository: RepositoryAccess, snapshotId: string): StoredArtifact {
  return {
    target: repository.target,
    storagePath: '',
    contentsPath: null,
    fileName: '',
    checksum: null,
    fileSize: null,
    encryption: null,
    snapshot: { repository, snapshotId },
  };
}
