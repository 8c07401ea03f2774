import { useChange } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { TextField } from '../../ui/Field.tsx';
import { showToast } from '../../ui/Toast.tsx';

const empty = { currentPassword: '', newPassword: '' };

export function ProfileTab() {
  const user = useUser();
  const change = useChange('auth.changePassword', []);
  const form = useForm({
    initial: empty,
    validate: ({ currentPassword, newPassword }) => ({
      ...(currentPassword ? {} : { currentPassword: t('field.required') }),
      ...(newPassword.length >= 8 ? {} : { newPassword: t('user.passwordRule') }),
    }),
    submit: async (body) => {
      await change.mutateAsync({ body });
      form.setAll(empty);
      form.forget();
      showToast({ text: t('profile.changed') });
    },
  });
  return (
    <div className="grid max-w-3xl items-start gap-5 md:grid-cols-2">
      <Card title={t('profile.account')}>
        <Facts
          items={[
            [t('user.username'), user.username],
            [t('user.displayName'), user.displayName || '–'],
            [t('user.role'), t(`role.${user.role}`)],
          ]}
        />
      </Card>
      <Card title={t('profile.password')}>
        <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
          <input type="text" name="username" autoComplete="username" value={user.username} readOnly hidden />
          <TextField
            label={t('profile.current')}
            type="password"
            autoComplete="current-password"
            value={form.values.currentPassword}
            onChange={(value) => form.set('currentPassword', value)}
            error={form.problem('currentPassword')}
          />
          <TextField
            label={t('profile.new')}
            type="password"
            autoComplete="new-password"
            help={t('user.passwordRule')}
            value={form.values.newPassword}
            onChange={(value) => form.set('newPassword', value)}
            onBlur={() => form.values.newPassword && form.touch('newPassword')}
            error={form.problem('newPassword')}
          />
          <p className="text-[13px] text-ink-3">{t('profile.endsSessions')}</p>
          <ErrorBox error={form.error} />
          <Button type="submit" kind="primary" busy={form.isBusy}>
            {t('profile.submit')}
          </Button>
        </form>
      </Card>
    </div>
  );
}
