import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import { useRepositories } from '../../api/repository-queries.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { t } from '../../i18n/i18n.ts';
import { SelectField } from '../../ui/Field.tsx';
import { useOpenWork, WORK_STALE } from './use-open-work.ts';
import type { WorkDialogProps } from './WorkDialogs.tsx';

/** Brings snapshots to another repository; what is there already is not copied again. */
export function CopyDialog({
  repository,
  onClose,
  snapshotId,
}: WorkDialogProps & {
  /** Missing: all that are not there yet. */
  snapshotId?: string;
}) {
  const others = (useRepositories().data ?? []).filter((one) => one.id !== repository.id);
  const [chosen, setChosen] = useState(0);
  const copy = useChange('repositoryActions.copy', WORK_STALE);
  const open = useOpenWork();
  const toRepositoryId = chosen || (others[0]?.id ?? 0);
  const body = { toRepositoryId, ...(snapshotId ? { snapshotIds: [snapshotId] } : {}) };
  return (
    <ConfirmDialog
      open
      kind="primary"
      onClose={onClose}
      title={snapshotId ? t('work.copyOneTitle') : t('work.copyTitle', { name: repository.name })}
      confirm={t('work.copyStart')}
      busy={copy.isPending}
      isReady={others.length > 0}
      error={copy.error}
      onConfirm={() => copy.mutate({ params: { id: repository.id }, body }, open)}
    >
      {others.length === 0 ? (
        <p>{t('work.copyNowhere')}</p>
      ) : (
        <div className="space-y-4">
          <p>{t('work.copyText')}</p>
          <SelectField
            label={t('work.copyTo')}
            value={String(toRepositoryId)}
            onChange={(value) => setChosen(Number(value))}
            options={others.map((one) => ({
              value: String(one.id),
              label: t('mode.repositoryOn', { name: one.name, storage: one.storageTargetName }),
            }))}
          />
        </div>
      )}
    </ConfirmDialog>
  );
}
