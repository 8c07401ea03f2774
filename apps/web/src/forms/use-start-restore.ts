import { useNavigate } from '@tanstack/react-router';
import { useChange } from '../api/queries.ts';
import type { OverwriteMode, RestoreRecord } from '../api/types.ts';
import type { SnapshotPlace } from '../components/EntryDownload.tsx';
import { paths } from '../components/paths.ts';

/** What is restored from: a record of ours, or a snapshot that has none. */
export interface RestoreSource {
  /** Must be typed before live files are replaced. */
  readonly name: string;
  readonly recordId: number | null;
  /** Set when it is a snapshot, whoever made it. */
  readonly snapshot: SnapshotPlace | null;
  /** Where it came from; 0: this machine is as good as any. */
  readonly nodeId: number;
  readonly nodeName: string;
  /** First folder that was backed up, and when. */
  readonly path: string;
  readonly at: string;
}

export interface RestoreWishes {
  /** Empty: the original place, which only records have. */
  readonly targetPath: string;
  readonly paths?: string[];
  readonly nodeId: number;
  readonly overwrite: OverwriteMode;
  readonly dryRun: boolean;
  /** What only this kind of source can be told. */
  readonly options?: Record<string, unknown>;
  /** False: what is there is not backed up first. */
  readonly safetyBackup?: boolean;
}

/** Starts a restore, through the record where there is one, and goes to its page. */
export function useStartRestore({ recordId, snapshot }: RestoreSource) {
  const navigate = useNavigate();
  const fromRecord = useChange('records.restore', ['restores']);
  const fromSnapshot = useChange('repositorySnapshots.restore', ['restores']);
  const onSuccess = ({ id }: RestoreRecord) => void navigate({ to: paths.restoreRecord(id) });
  return {
    isPending: fromRecord.isPending || fromSnapshot.isPending,
    error: fromRecord.error ?? fromSnapshot.error,
    start(wishes: RestoreWishes): void {
      if (recordId !== null) {
        const body = { ...wishes, targetPath: wishes.targetPath || undefined };
        fromRecord.mutate({ params: { id: recordId }, body }, { onSuccess });
      } else if (snapshot) {
        const params = { id: snapshot.repositoryId, snapshotId: snapshot.snapshotId };
        fromSnapshot.mutate({ params, body: wishes }, { onSuccess });
      }
    },
  };
}
