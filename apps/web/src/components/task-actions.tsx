/** What can be done to a task from several pages: run, switch on or off with undo, delete with a dialog. */

import { useNavigate } from '@tanstack/react-router';
import { errorMessage } from '../api/error-message.ts';
import { useChange } from '../api/queries.ts';
import type { Task } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { showToast } from '../ui/Toast.tsx';
import { ConfirmDialog } from './ConfirmDialog.tsx';
import { paths } from './paths.ts';
import { sourceWords } from './source-words.ts';

const STALE = ['tasks', 'task', 'overview', 'records'] as const;

/** Shows a failed quick action; forms show their errors in place instead. */
export function toastError(error: unknown): void {
  const { what, next } = errorMessage(error);
  showToast({ tone: 'bad', text: `${what} ${next}` });
}

/** Starts a task and goes to its record. */
export function useRunTask() {
  const navigate = useNavigate();
  const run = useChange('tasks.run', STALE);
  return {
    isPending: run.isPending,
    start: (id: number) =>
      run.mutate(
        { params: { id } },
        { onSuccess: (record) => void navigate({ to: paths.record(record.id) }), onError: toastError },
      ),
  };
}

/** Switches a task; the notice offers the way back. */
export function useToggleTask() {
  const toggle = useChange('tasks.toggle', STALE);
  return (task: Pick<Task, 'id' | 'name'>, enabled: boolean) =>
    toggle.mutate(
      { params: { id: task.id }, body: { enabled } },
      {
        onError: toastError,
        onSuccess: () =>
          showToast({
            text: enabled ? t('task.enabledToast', { name: task.name }) : t('task.disabledToast', { name: task.name }),
            action: {
              label: t('action.undo'),
              run: () =>
                toggle.mutate({ params: { id: task.id }, body: { enabled: !enabled } }, { onError: toastError }),
            },
          }),
      },
    );
}

export function DeleteTaskDialog({
  task,
  onClose,
  onDeleted,
}: {
  task: Task;
  onClose: () => void;
  onDeleted: () => void;
}) {
  const remove = useChange('tasks.remove', STALE);
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('task.deleteTitle', { name: task.name })}
      confirm={t('task.delete')}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ params: { id: task.id } }, { onSuccess: onDeleted })}
    >
      {t('task.deleteText', { paths: sourceWords(task), node: task.nodeName })}
    </ConfirmDialog>
  );
}
