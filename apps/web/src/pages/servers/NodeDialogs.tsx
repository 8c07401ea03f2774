import { useChange } from '../../api/queries.ts';
import type { Node } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { CopyBox } from '../../components/CopyBox.tsx';
import { DialogForm } from '../../forms/DialogForm.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout } from '../../ui/Card.tsx';
import { Dialog } from '../../ui/Dialog.tsx';
import { TextField } from '../../ui/Field.tsx';

interface Props {
  node: Node;
  onClose: () => void;
}

export function RenameNode({ node, onClose }: Props) {
  const update = useChange('nodes.update', ['nodes', 'tasks', 'overview']);
  const form = useForm({
    initial: { name: node.name },
    validate: ({ name }) => (name.trim() ? {} : { name: t('field.required') }),
    submit: async ({ name }) => {
      await update.mutateAsync({ params: { id: node.id }, body: { name } });
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={t('servers.rename')} closeLabel={t('action.close')}>
      <DialogForm form={form} onClose={onClose}>
        <TextField
          label={t('servers.name')}
          value={form.values.name}
          onChange={(value) => form.set('name', value)}
          error={form.problem('name')}
        />
      </DialogForm>
    </Dialog>
  );
}

export function RotateToken({ node, onClose }: Props) {
  const rotate = useChange('nodes.rotateToken', ['nodes']);
  if (rotate.data) {
    return (
      <Dialog
        open
        onClose={onClose}
        title={t('servers.newToken', { name: node.name })}
        closeLabel={t('action.close')}
        wide
      >
        <div className="space-y-4">
          <Callout tone="warn" icon="key" title={t('servers.tokenOnce')}>
            {t('servers.rotatedText')}
          </Callout>
          <CopyBox label={t('servers.token')} text={rotate.data.token} />
        </div>
      </Dialog>
    );
  }
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('servers.rotateTitle', { name: node.name })}
      confirm={t('servers.rotate')}
      busy={rotate.isPending}
      error={rotate.error}
      onConfirm={() => rotate.mutate({ params: { id: node.id } })}
    >
      {t('servers.rotateText')}
    </ConfirmDialog>
  );
}

export function RemoveNode({ node, onClose }: Props) {
  const remove = useChange('nodes.remove', ['nodes', 'overview']);
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('servers.removeTitle', { name: node.name })}
      confirm={t('servers.remove')}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ params: { id: node.id } }, { onSuccess: onClose })}
    >
      {node.taskCount > 0 ? t('servers.removeTasks', { count: node.taskCount }) : t('servers.removeText')}
    </ConfirmDialog>
  );
}
