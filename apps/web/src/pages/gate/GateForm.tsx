import type { ReactNode } from 'react';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import type { Form } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { TextField } from '../../ui/Field.tsx';

interface Account {
  readonly username: string;
  readonly password: string;
}

/** User name and password: of an account that is there, or (`isNew`) of one that is to be. */
export function GateForm<T extends Account>({
  form,
  submit,
  isNew = false,
  children,
}: {
  form: Form<T>;
  submit: string;
  isNew?: boolean;
  children?: ReactNode;
}) {
  const field = (name: 'username' | 'password') => ({
    name,
    label: t(`user.${name}`),
    value: form.values[name],
    onChange: (value: string) => form.set(name, value as T[typeof name]),
    // An empty field that is left is not wrong yet, and a login has no rules to tell before it is sent.
    onBlur: () => isNew && form.values[name] && form.touch(name),
    error: form.problem(name),
  });
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
      <TextField {...field('username')} autoComplete="username" autoCapitalize="none" autoFocus />
      <TextField
        {...field('password')}
        type="password"
        autoComplete={isNew ? 'new-password' : 'current-password'}
        help={isNew ? t('user.passwordRule') : undefined}
      />
      {children}
      <ErrorBox error={form.error} />
      <Button type="submit" kind="primary" busy={form.isBusy} className="w-full">
        {submit}
      </Button>
    </form>
  );
}
