import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Repository, RepositorySnapshot } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { snapshotDownload } from '../../components/EntryDownload.tsx';
import { paths } from '../../components/paths.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { CopyDialog } from './CopyDialog.tsx';
import { useOpenWork, WORK_STALE } from './use-open-work.ts';

interface Props {
  readonly repository: Repository;
  readonly snapshot: RepositorySnapshot;
}

/** Of snapshots that no record points to; ours go with their records. */
function ForgetDialog({ repository, snapshot, onClose }: Props & { onClose: () => void }) {
  const forget = useChange('repositoryActions.forget', [...WORK_STALE, 'snapshots']);
  const open = useOpenWork();
  const name = snapshot.id.slice(0, 8);
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('snapshot.forgetTitle', { id: name })}
      confirm={t('snapshot.forget')}
      busy={forget.isPending}
      error={forget.error}
      typeToConfirm={name}
      onConfirm={() => forget.mutate({ params: { id: repository.id }, body: { snapshotIds: [snapshot.id] } }, open)}
    >
      {t('snapshot.forgetText')}
    </ConfirmDialog>
  );
}

/** What can be done with a snapshot as a whole. */
export function SnapshotActions({ repository, snapshot }: Props) {
  const user = useUser();
  const [dialog, setDialog] = useState<'copy' | 'forget' | null>(null);
  const place = { repositoryId: repository.id, snapshotId: snapshot.id };
  const close = () => setDialog(null);
  const isOperator = user.can('operator');
  return (
    <>
      {snapshot.parent !== null && (
        <Link
          to={paths.repositoryTab(repository.id, 'compare')}
          search={{ from: snapshot.parent, to: snapshot.id } as never}
          className={buttonClass('ghost')}
        >
          {t('diff.withParent')}
        </Link>
      )}
      {isOperator && (
        <Button kind="ghost" icon="copy" onClick={() => setDialog('copy')}>
          {t('work.copyOne')}
        </Button>
      )}
      {isOperator && snapshot.recordId === null && (
        <Button kind="ghost" icon="trash" onClick={() => setDialog('forget')}>
          {t('snapshot.forget')}
        </Button>
      )}
      {isOperator &&
        repository.isReachableFromMaster &&
        (['tar', 'zip'] as const).map((format) => (
          <a key={format} href={snapshotDownload(place, format)} download className={buttonClass()}>
            <Icon name="download" />
            {t('download.all', { format })}
          </a>
        ))}
      {dialog === 'copy' && <CopyDialog repository={repository} snapshotId={snapshot.id} onClose={close} />}
      {dialog === 'forget' && <ForgetDialog repository={repository} snapshot={snapshot} onClose={close} />}
    </>
  );
}
