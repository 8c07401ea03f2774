import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { BackupRecord } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { paths } from '../../components/paths.ts';
import { toastError, useRunTask } from '../../components/task-actions.tsx';
import { useKey } from '../../components/use-key.ts';
import { VerifyButton } from '../../forms/VerifyButton.tsx';
import { formatBytes, formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { showToast } from '../../ui/Toast.tsx';

const STALE = ['record', 'records', 'overview'] as const;

function DeleteRecord({ record, onClose }: { record: BackupRecord; onClose: () => void }) {
  const navigate = useNavigate();
  const remove = useChange('records.remove', ['records', 'overview', 'storage-targets']);
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('record.deleteTitle', { task: record.taskName, time: formatDateTime(record.startedAt) })}
      confirm={t('record.delete')}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() =>
        remove.mutate({ params: { id: record.id } }, { onSuccess: () => void navigate({ to: paths.activity }) })
      }
    >
      {record.snapshot
        ? t('snapshot.deleteText')
        : t('record.deleteText', { size: formatBytes(record.fileSize), count: record.targets.length })}
    </ConfirmDialog>
  );
}

/** An archive as it is stored; a snapshot is opened for it, which not everybody may. */
function DownloadLink({ record }: { record: BackupRecord }) {
  const user = useUser();
  if (record.snapshot && !user.can('operator')) return null;
  return (
    <a href={`/api/backup/records/${record.id}/download`} download className={buttonClass()}>
      <Icon name="download" />
      {record.snapshot ? t('download.all', { format: 'tar' }) : t('action.download')}
    </a>
  );
}

/** What can be done to a record, by its state and the role of who looks; on a phone the main thing comes first. */
export function RecordActions({ record }: { record: BackupRecord }) {
  const user = useUser();
  const [isDeleting, setDeleting] = useState(false);
  const cancel = useChange('records.cancel', STALE);
  const lock = useChange('records.lock', STALE);
  const run = useRunTask();
  const params = { id: record.id };
  const setLocked = (locked: boolean, undoable = true) =>
    lock.mutate(
      { params, body: { locked } },
      {
        onError: toastError,
        onSuccess: () =>
          undoable &&
          showToast({
            text: locked ? t('record.lockedToast') : t('record.unlockedToast'),
            action: { label: t('action.undo'), run: () => setLocked(!locked, false) },
          }),
      },
    );
  const isOperator = user.can('operator');
  const isRestorable = record.status === 'success' || record.status === 'warning';
  const canRetry = isOperator && !isRestorable && record.status !== 'running' && !run.isPending;
  useKey('r', canRetry ? () => run.start(record.taskId) : undefined);
  if (record.status === 'running') {
    return (
      isOperator && (
        <Button icon="stop" busy={cancel.isPending} onClick={() => cancel.mutate({ params }, { onError: toastError })}>
          {t('record.cancel')}
        </Button>
      )
    );
  }
  return (
    <>
      {isOperator && (
        <Button
          kind="ghost"
          icon="trash"
          disabled={record.locked}
          title={record.locked ? t('record.unlockFirst') : undefined}
          onClick={() => setDeleting(true)}
        >
          {t('action.delete')}
        </Button>
      )}
      {isRestorable && isOperator && (
        <Button
          icon={record.locked ? 'unlock' : 'lock'}
          busy={lock.isPending}
          onClick={() => setLocked(!record.locked)}
        >
          {record.locked ? t('record.unlock') : t('record.lock')}
        </Button>
      )}
      {isRestorable && isOperator && <VerifyButton record={record} />}
      {isRestorable && <DownloadLink record={record} />}
      {isRestorable && isOperator && (
        <Link
          to={paths.restoreFrom(record.taskId, record.id)}
          className={`${buttonClass('primary')} max-sm:order-first`}
        >
          <Icon name="restore" />
          {t('restore.action')}
        </Link>
      )}
      {!isRestorable && isOperator && (
        <Button
          kind="primary"
          icon="refresh"
          busy={run.isPending}
          onClick={() => run.start(record.taskId)}
          className="max-sm:order-first"
        >
          {t('record.runAgain')}
        </Button>
      )}
      {isDeleting && <DeleteRecord record={record} onClose={() => setDeleting(false)} />}
    </>
  );
}
