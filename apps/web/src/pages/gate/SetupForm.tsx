import { setUp } from '../../api/session.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { TextField } from '../../ui/Field.tsx';

export function SetupForm() {
  const form = useForm({
    initial: { displayName: '', username: '', password: '' },
    validate: ({ username, password }) => ({
      ...(/^[\w.@-]{3,64}$/.test(username.trim()) ? {} : { username: t('user.usernameRule') }),
      ...(password.length >= 8 ? {} : { password: t('user.passwordRule') }),
    }),
    submit: ({ displayName, username, password }) =>
      setUp({ username: username.trim(), password, displayName: displayName.trim() || undefined }),
  });
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
      <TextField
        label={t('user.username')}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        autoFocus
        value={form.values.username}
        onChange={(value) => form.set('username', value)}
        onBlur={() => form.values.username && form.touch('username')}
        error={form.problem('username')}
      />
      <TextField
        label={t('user.password')}
        name="password"
        type="password"
        autoComplete="new-password"
        help={t('user.passwordRule')}
        value={form.values.password}
        onChange={(value) => form.set('password', value)}
        onBlur={() => form.values.password && form.touch('password')}
        error={form.problem('password')}
      />
      <TextField
        label={t('user.displayName')}
        name="displayName"
        note={t('field.optional')}
        autoComplete="name"
        value={form.values.displayName}
        onChange={(value) => form.set('displayName', value)}
      />
      <ErrorBox error={form.error} />
      <Button type="submit" kind="primary" busy={form.isBusy} className="w-full">
        {t('setup.submit')}
      </Button>
    </form>
  );
}
