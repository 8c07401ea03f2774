import { signIn } from '../../api/session.ts';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { GateForm } from './GateForm.tsx';

export function LoginForm() {
  const form = useForm({
    initial: { username: '', password: '' },
    validate: ({ username, password }) => ({
      ...(username.trim() ? {} : { username: t('field.required') }),
      ...(password ? {} : { password: t('field.required') }),
    }),
    submit: ({ username, password }) => signIn(username.trim(), password),
  });
  return <GateForm form={form} submit={t('login.submit')} />;
}
