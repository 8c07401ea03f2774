import type { ReactNode } from 'react';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import type { Form } from './use-form.ts';

type Shell = Pick<Form<object>, 'formRef' | 'onSubmit' | 'error' | 'isBusy'>;

/** A short form in a dialog: its fields, what it was refused with, Cancel and Save. */
export function DialogForm({
  form,
  onClose,
  submit = t('action.save'),
  children,
}: {
  form: Shell;
  onClose: () => void;
  /** Word of the button that sends it. */
  submit?: string;
  children: ReactNode;
}) {
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
      {children}
      <ErrorBox error={form.error} />
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t('action.cancel')}</Button>
        <Button type="submit" kind="primary" busy={form.isBusy}>
          {submit}
        </Button>
      </div>
    </form>
  );
}
