import { signIn } from '../../api/session.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { TextField } from '../../ui/Field.tsx';

export function LoginForm() {
  const form = useForm({
    initial: { username: '', password: '' },
    validate: ({ username, password }) => ({
      ...(username.trim() ? {} : { username: t('field.required') }),
      ...(password ? {} : { password: t('field.required') }),
    }),
    submit: ({ username, password }) => signIn(username.trim(), password),
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
        error={form.problem('username')}
      />
      <TextField
        label={t('user.password')}
        name="password"
        type="password"
        autoComplete="current-password"
        value={form.values.password}
        onChange={(value) => form.set('password', value)}
        error={form.problem('password')}
      />
      <ErrorBox error={form.error} />
      <Button type="submit" kind="primary" busy={form.isBusy} className="w-full">
        {t('login.submit')}
      </Button>
    </form>
  );
}
