import { setUp } from '../../api/session.ts';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { TextField } from '../../ui/Field.tsx';
import { GateForm } from './GateForm.tsx';

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
    <GateForm form={form} submit={t('setup.submit')} isNew>
      <TextField
        label={t('user.displayName')}
        name="displayName"
        note={t('field.optional')}
        autoComplete="name"
        value={form.values.displayName}
        onChange={(value) => form.set('displayName', value)}
      />
    </GateForm>
  );
}
