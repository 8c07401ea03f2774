import { useState } from 'react';
import { useChange, useUsers } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Role, User } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { QueryView } from '../../components/QueryView.tsx';
import { Badge } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { DialogForm } from '../../forms/DialogForm.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button, IconButton } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { type Column, DataTable } from '../../ui/DataTable.tsx';
import { Dialog } from '../../ui/Dialog.tsx';
import { CheckField, SelectField, TextField } from '../../ui/Field.tsx';

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

function UserDialog({ user, onClose }: { user: User | null; onClose: () => void }) {
  const create = useChange('users.create', ['users']);
  const update = useChange('users.update', ['users']);
  const form = useForm({
    initial: {
      username: user?.username ?? '',
      displayName: user?.displayName ?? '',
      role: user?.role ?? ('operator' as Role),
      enabled: user?.enabled ?? true,
      password: '',
    },
    validate: ({ username, password }) => ({
      ...(/^[\w.@-]{3,64}$/.test(username.trim()) ? {} : { username: t('user.usernameRule') }),
      ...((user && password === '') || password.length >= 8 ? {} : { password: t('user.passwordRule') }),
    }),
    submit: async (values) => {
      if (user)
        await update.mutateAsync({
          params: { id: user.id },
          body: { ...values, password: values.password || undefined },
        });
      else await create.mutateAsync({ body: values });
      onClose();
    },
  });
  const { values, set } = form;
  return (
    <Dialog
      open
      onClose={onClose}
      title={user ? t('users.edit', { name: user.username }) : t('users.add')}
      closeLabel={t('action.close')}
    >
      <DialogForm form={form} onClose={onClose}>
        <TextField
          label={t('user.username')}
          value={values.username}
          onChange={(value) => set('username', value)}
          onBlur={() => values.username && form.touch('username')}
          error={form.problem('username')}
          autoComplete="off"
        />
        <TextField
          label={t('user.displayName')}
          note={t('field.optional')}
          value={values.displayName}
          onChange={(value) => set('displayName', value)}
        />
        <SelectField
          label={t('user.role')}
          help={t(`roleHelp.${values.role}`)}
          value={values.role}
          onChange={(value) => set('role', value as Role)}
          options={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
        />
        <TextField
          label={user ? t('users.newPassword') : t('user.password')}
          note={user ? t('field.optional') : undefined}
          type="password"
          autoComplete="new-password"
          help={t('user.passwordRule')}
          value={values.password}
          onChange={(value) => set('password', value)}
          onBlur={() => values.password && form.touch('password')}
          error={form.problem('password')}
        />
        <CheckField
          label={t('users.enabled')}
          checked={values.enabled}
          onChange={(checked) => set('enabled', checked)}
        />
      </DialogForm>
    </Dialog>
  );
}

export function UsersTab() {
  const me = useUser();
  const query = useUsers();
  const [editing, setEditing] = useState<User | 'new' | null>(null);
  const [deleting, setDeleting] = useState<User | null>(null);
  const remove = useChange('users.remove', ['users']);
  const close = () => {
    remove.reset();
    setDeleting(null);
  };
  const columns: readonly Column<User>[] = [
    {
      id: 'name',
      title: t('user.username'),
      lead: true,
      cell: (user) => (
        <div>
          <p className="font-medium">{user.username}</p>
          <p className="text-[13px] text-ink-3">{user.displayName}</p>
        </div>
      ),
    },
    { id: 'role', title: t('user.role'), cell: (user) => t(`role.${user.role}`) },
    {
      id: 'state',
      title: t('task.state'),
      cell: (user) => (
        <Badge
          look={user.enabled ? { tone: 'ok', icon: 'check-circle' } : { tone: 'none', icon: 'ban' }}
          word={user.enabled ? t('users.active') : t('users.blocked')}
        />
      ),
    },
    {
      id: 'login',
      title: t('users.lastLogin'),
      cell: (user) => <Time at={user.lastLoginAt} empty={t('task.never')} />,
    },
    {
      id: 'actions',
      title: t('table.actions'),
      quiet: true,
      end: true,
      cell: (user) => (
        <div className="flex gap-1 sm:justify-end">
          <IconButton
            icon="edit"
            label={t('task.editNamed', { name: user.username })}
            onClick={() => setEditing(user)}
          />
          <IconButton
            icon="trash"
            label={t('task.deleteNamed', { name: user.username })}
            disabled={user.id === me.id}
            onClick={() => setDeleting(user)}
          />
        </div>
      ),
    },
  ];
  return (
    <Card
      flush
      title={t('settings.users')}
      actions={
        <Button small icon="plus" onClick={() => setEditing('new')}>
          {t('users.add')}
        </Button>
      }
    >
      <QueryView query={query}>
        {(users) => <DataTable label={t('settings.users')} columns={columns} rows={users} rowKey={(user) => user.id} />}
      </QueryView>
      {editing && <UserDialog user={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
      {deleting && (
        <ConfirmDialog
          open
          onClose={close}
          title={t('users.deleteTitle', { name: deleting.username })}
          confirm={t('users.delete')}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate({ params: { id: deleting.id } }, { onSuccess: close })}
        >
          {t('users.deleteText')}
        </ConfirmDialog>
      )}
    </Card>
  );
}
