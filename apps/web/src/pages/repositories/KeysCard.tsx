import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import { useRepositoryKeys } from '../../api/repository-queries.ts';
import type { Repository, RepositoryKey } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { QueryView } from '../../components/QueryView.tsx';
import { useForm } from '../../forms/use-form.ts';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, IconButton } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { type Column, DataTable } from '../../ui/DataTable.tsx';
import { Dialog } from '../../ui/Dialog.tsx';
import { TextField } from '../../ui/Field.tsx';

const STALE = ['repository-keys'] as const;
const MIN_LENGTH = 8;

function AddKeyDialog({ repository, onClose }: { repository: Repository; onClose: () => void }) {
  const add = useChange('repositoryActions.addKey', STALE);
  const form = useForm({
    initial: { password: '' },
    validate: ({ password }) => (password.length >= MIN_LENGTH ? {} : { password: t('user.passwordRule') }),
    submit: async ({ password }) => {
      await add.mutateAsync({ params: { id: repository.id }, body: { password } });
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('keys.addTitle')}
      description={t('keys.addText')}
      closeLabel={t('action.close')}
    >
      <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
        <TextField
          label={t('user.password')}
          type="password"
          autoComplete="new-password"
          value={form.values.password}
          onChange={(value) => form.set('password', value)}
          onBlur={() => form.touch('password')}
          error={form.problem('password')}
          help={t('user.passwordRule')}
        />
        <ErrorBox error={form.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" kind="primary" busy={form.isBusy}>
            {t('keys.add')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** `root@db1`, in which case either may be missing. */
const ownerOf = ({ username, hostname }: RepositoryKey) => [username, hostname].filter(Boolean).join('@') || '–';

function columns(onRemove: (key: RepositoryKey) => void): readonly Column<RepositoryKey>[] {
  return [
    {
      id: 'id',
      title: t('keys.key'),
      lead: true,
      cell: (key) => (
        <div>
          <p className="font-mono text-[13px]">{key.id.slice(0, 12)}</p>
          {key.isCurrent && <p className="text-[13px] text-ink-3">{t('keys.current')}</p>}
        </div>
      ),
    },
    { id: 'owner', title: t('keys.madeBy'), cell: ownerOf },
    {
      id: 'created',
      title: t('keys.made'),
      nowrap: true,
      cell: ({ created }) => (created ? formatDateTime(created) : '–'),
    },
    {
      id: 'actions',
      title: t('table.actions'),
      quiet: true,
      end: true,
      cell: (key) =>
        key.isCurrent ? null : (
          <IconButton
            icon="trash"
            label={t('keys.removeNamed', { name: key.id.slice(0, 12) })}
            onClick={() => onRemove(key)}
          />
        ),
    },
  ];
}

/** Each key opens the repository with a password of its own; the one of the recovery kit always stays. */
export function KeysCard({ repository }: { repository: Repository }) {
  const query = useRepositoryKeys(repository.id);
  const remove = useChange('repositoryActions.removeKey', STALE);
  const [isAdding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<RepositoryKey | null>(null);
  const close = () => {
    remove.reset();
    setRemoving(null);
  };
  return (
    <Card
      flush
      title={t('keys.title')}
      note={t('keys.note')}
      actions={
        <Button small icon="plus" onClick={() => setAdding(true)}>
          {t('keys.add')}
        </Button>
      }
    >
      <QueryView query={query} rows={2}>
        {({ keys }) => (
          <DataTable label={t('keys.title')} columns={columns(setRemoving)} rows={keys} rowKey={(key) => key.id} />
        )}
      </QueryView>
      {isAdding && <AddKeyDialog repository={repository} onClose={() => setAdding(false)} />}
      {removing && (
        <ConfirmDialog
          open
          onClose={close}
          title={t('keys.removeTitle', { name: removing.id.slice(0, 12) })}
          confirm={t('keys.remove')}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate({ params: { id: repository.id, keyId: removing.id } }, { onSuccess: close })}
        >
          {t('keys.removeText')}
        </ConfirmDialog>
      )}
    </Card>
  );
}
