import { useState } from 'react';
import { useApiKeys, useChange } from '../../api/queries.ts';
import type { ApiKey, Role } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { CopyBox } from '../../components/CopyBox.tsx';
import { QueryView } from '../../components/QueryView.tsx';
import { Time } from '../../components/Time.tsx';
import { toastError } from '../../components/task-actions.tsx';
import { DialogForm } from '../../forms/DialogForm.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, IconButton } from '../../ui/Button.tsx';
import { Callout, Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable } from '../../ui/DataTable.tsx';
import { Dialog } from '../../ui/Dialog.tsx';
import { SelectField, Switch, TextField } from '../../ui/Field.tsx';

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
const DAYS = [0, 30, 90, 365] as const;

function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const create = useChange('apiKeys.create', ['api-keys']);
  const form = useForm({
    initial: { name: '', role: 'operator' as Role, days: 90 },
    validate: ({ name }) => (name.trim() ? {} : { name: t('field.required') }),
    submit: ({ name, role, days }) => create.mutateAsync({ body: { name, role, ttlHours: days * 24 } }),
  });
  return (
    <Dialog open onClose={onClose} title={t('apiKeys.add')} closeLabel={t('action.close')} wide>
      {create.data ? (
        <div className="space-y-4">
          <Callout tone="warn" icon="key" title={t('apiKeys.once')} />
          <CopyBox autoFocus label={create.data.name} text={create.data.key} />
          <div className="flex justify-end">
            <Button kind="primary" onClick={onClose}>
              {t('action.done')}
            </Button>
          </div>
        </div>
      ) : (
        <DialogForm form={form} onClose={onClose} submit={t('apiKeys.create')}>
          <TextField
            label={t('apiKeys.name')}
            help={t('apiKeys.nameHelp')}
            value={form.values.name}
            onChange={(value) => form.set('name', value)}
            error={form.problem('name')}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            <SelectField
              label={t('user.role')}
              help={t(`roleHelp.${form.values.role}`)}
              value={form.values.role}
              onChange={(value) => form.set('role', value as Role)}
              options={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
            />
            <SelectField
              label={t('apiKeys.expires')}
              value={String(form.values.days)}
              onChange={(value) => form.set('days', Number(value))}
              options={DAYS.map((days) => ({
                value: String(days),
                label: days === 0 ? t('task.never') : t('apiKeys.days', { count: days }),
              }))}
            />
          </div>
        </DialogForm>
      )}
    </Dialog>
  );
}

export function ApiKeysTab() {
  const query = useApiKeys();
  const [isAdding, setAdding] = useState(false);
  const [deleting, setDeleting] = useState<ApiKey | null>(null);
  const toggle = useChange('apiKeys.toggle', ['api-keys']);
  const remove = useChange('apiKeys.remove', ['api-keys']);
  const close = () => setDeleting(null);
  const columns: readonly Column<ApiKey>[] = [
    {
      id: 'name',
      title: t('apiKeys.name'),
      lead: true,
      cell: (key) => (
        <div>
          <p className="font-medium">{key.name}</p>
          <p className="font-mono text-xs text-ink-3">{key.prefix}…</p>
        </div>
      ),
    },
    { id: 'role', title: t('user.role'), cell: (key) => t(`role.${key.role}`) },
    { id: 'by', title: t('apiKeys.by'), hideBelow: 'lg', cell: (key) => key.createdBy },
    { id: 'used', title: t('apiKeys.lastUsed'), cell: (key) => <Time at={key.lastUsedAt} empty={t('task.never')} /> },
    { id: 'expires', title: t('apiKeys.expires'), cell: (key) => <Time at={key.expiresAt} empty={t('task.never')} /> },
    {
      id: 'actions',
      title: t('table.actions'),
      quiet: true,
      end: true,
      cell: (key) => (
        <div className="flex items-center gap-1 sm:justify-end">
          <Switch
            checked={key.enabled}
            label={t('apiKeys.enabledNamed', { name: key.name })}
            onChange={(enabled) =>
              toggle.mutate({ params: { id: key.id }, body: { enabled } }, { onError: toastError })
            }
          />
          <IconButton
            icon="trash"
            label={t('apiKeys.revokeNamed', { name: key.name })}
            onClick={() => setDeleting(key)}
          />
        </div>
      ),
    },
  ];
  const add = (
    <Button small icon="plus" onClick={() => setAdding(true)}>
      {t('apiKeys.add')}
    </Button>
  );
  return (
    <Card flush title={t('settings.apiKeys')} note={t('apiKeys.note')} actions={add}>
      <QueryView query={query}>
        {(keys) =>
          keys.length === 0 ? (
            <EmptyState icon="key" title={t('apiKeys.empty')} text={t('apiKeys.emptyText')} />
          ) : (
            <DataTable label={t('settings.apiKeys')} columns={columns} rows={keys} rowKey={(key) => key.id} />
          )
        }
      </QueryView>
      {isAdding && <NewKeyDialog onClose={() => setAdding(false)} />}
      {deleting && (
        <ConfirmDialog
          open
          onClose={close}
          title={t('apiKeys.revokeTitle', { name: deleting.name })}
          confirm={t('apiKeys.revoke')}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate({ params: { id: deleting.id } }, { onSuccess: close })}
        >
          {t('apiKeys.revokeText')}
        </ConfirmDialog>
      )}
    </Card>
  );
}
