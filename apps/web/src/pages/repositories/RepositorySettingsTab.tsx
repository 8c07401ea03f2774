import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Repository } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { paths } from '../../components/paths.ts';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { TextField } from '../../ui/Field.tsx';
import { showToast } from '../../ui/Toast.tsx';

const STALE = ['repository', 'repositories', 'tasks'] as const;
const GIB = 1024 ** 3;

function RemoveCard({ repository }: { repository: Repository }) {
  const navigate = useNavigate();
  const [isAsking, ask] = useState(false);
  const remove = useChange('repositories.remove', ['repositories']);
  return (
    <Card title={t('repository.remove')}>
      <p className="mb-4 text-ink-2">{t('repository.removeText')}</p>
      <Button icon="trash" onClick={() => ask(true)}>
        {t('repository.remove')}
      </Button>
      <ConfirmDialog
        open={isAsking}
        onClose={() => ask(false)}
        title={t('repository.removeTitle', { name: repository.name })}
        confirm={t('repository.remove')}
        busy={remove.isPending}
        error={remove.error}
        typeToConfirm={repository.name}
        onConfirm={() =>
          remove.mutate(
            { params: { id: repository.id } },
            { onSuccess: () => void navigate({ to: paths.repositories }) },
          )
        }
      >
        {t('repository.removeLoss')}
      </ConfirmDialog>
    </Card>
  );
}

const wholeNumber = (text: string) => Math.max(0, Math.trunc(Number(text) || 0));

/** Name, how often it is checked and cleaned by itself, how much may come through the gateway. */
export function RepositorySettingsTab({ repository }: { repository: Repository }) {
  const user = useUser();
  const update = useChange('repositories.update', STALE);
  const form = useForm({
    initial: {
      name: repository.name,
      checkEveryDays: repository.checkEveryDays,
      pruneEveryDays: repository.pruneEveryDays,
      quotaBytes: repository.quotaBytes,
    },
    validate: ({ name }) => (name.trim() ? {} : { name: t('field.required') }),
    submit: async (values) => {
      await update.mutateAsync({ params: { id: repository.id }, body: values });
      showToast({ text: t('settings.saved') });
    },
  });
  const { values, set, problem } = form;
  return (
    <div className="max-w-3xl space-y-5">
      <Card title={t('task.settings')}>
        <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
          <TextField
            label={t('storage.name')}
            value={values.name}
            onChange={(value) => set('name', value)}
            onBlur={() => form.touch('name')}
            error={problem('name')}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            {(['checkEveryDays', 'pruneEveryDays'] as const).map((name) => (
              <TextField
                key={name}
                label={t(`repositoryPlan.${name}`)}
                help={t(`repositoryPlanHelp.${name}`)}
                type="number"
                min={0}
                max={365}
                inputMode="numeric"
                value={String(values[name])}
                onChange={(value) => set(name, wholeNumber(value))}
                error={problem(name)}
              />
            ))}
          </div>
          {repository.gatewayPath !== '' && (
            <TextField
              label={t('repository.quota')}
              help={t('repository.quotaHelp')}
              type="number"
              min={0}
              inputMode="numeric"
              value={String(Math.round(values.quotaBytes / GIB))}
              onChange={(value) => set('quotaBytes', wholeNumber(value) * GIB)}
              error={problem('quotaBytes')}
            />
          )}
          <ErrorBox error={form.error} />
          <Button type="submit" kind="primary" busy={form.isBusy}>
            {t('action.save')}
          </Button>
        </form>
      </Card>
      {user.can('admin') && <RemoveCard repository={repository} />}
    </div>
  );
}
