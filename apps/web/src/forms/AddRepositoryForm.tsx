import { useState } from 'react';
import { call } from '../api/client.ts';
import { queryClient, useNodes, useStorageTargets } from '../api/queries.ts';
import type { AnswerOf } from '../api/route-table.ts';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Card } from '../ui/Card.tsx';
import { ChoiceCards, SelectField, TextField } from '../ui/Field.tsx';
import { useForm } from './use-form.ts';

type Way = 'create' | 'adopt';
type Created = AnswerOf<'repositories.create'>;
type Adopted = AnswerOf<'repositories.adopt'>;

const initial = { name: '', storageTargetId: 0, nodeId: 0, prefix: '', password: '' };
type Values = typeof initial;

/** Empty fields are left to the server, which has better ideas. */
function bodyOf(values: Values, storageTargetId: number) {
  const filled = (name: 'name' | 'prefix') => (values[name].trim() ? { [name]: values[name].trim() } : {});
  return { ...filled('name'), ...filled('prefix'), storageTargetId, nodeId: values.nodeId };
}

/** A new repository, or one of restic's that exists: place and password. */
export function AddRepositoryForm({
  onCreated,
  onAdopted,
  onCancel,
}: {
  onCreated: (answer: Created) => void;
  onAdopted: (answer: Adopted) => void;
  onCancel: () => void;
}) {
  const nodes = useNodes();
  const targets = useStorageTargets();
  const [way, setWay] = useState<Way>('create');
  const isAdopting = way === 'adopt';
  const targetOf = (values: Values) => values.storageTargetId || (targets.data?.[0]?.id ?? 0);
  const form = useForm<Values>({
    initial,
    validate: (values) => ({
      ...(targetOf(values) > 0 ? {} : { storageTargetId: t('task.targetRequired') }),
      ...(isAdopting && values.password === '' ? { password: t('field.required') } : {}),
    }),
    submit: async (values) => {
      const body = bodyOf(values, targetOf(values));
      if (isAdopting) {
        onAdopted(await call('repositories.adopt', { body: { ...body, password: values.password } }));
      } else onCreated(await call('repositories.create', { body }));
      void queryClient.invalidateQueries({ queryKey: ['repositories'] });
    },
  });
  const { values, set, problem } = form;
  return (
    <Card>
      <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
        <ChoiceCards
          legend={t('repository.way')}
          value={way}
          onChange={(value) => {
            setWay(value as Way);
            form.forget();
          }}
          choices={(['create', 'adopt'] as const).map((id) => ({
            value: id,
            label: t(`repositoryWay.${id}`),
            help: t(`repositoryWayHelp.${id}`),
          }))}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField
            label={t('task.targets')}
            value={String(targetOf(values))}
            onChange={(value) => set('storageTargetId', Number(value))}
            error={problem('storageTargetId')}
            options={(targets.data ?? []).map((target) => ({
              value: String(target.id),
              label: target.name,
              disabled: !target.enabled,
            }))}
          />
          <SelectField
            label={t('task.server')}
            help={isAdopting ? t('repository.adoptServerHelp') : t('repository.serverHelp')}
            value={String(values.nodeId)}
            onChange={(value) => set('nodeId', Number(value))}
            error={problem('nodeId')}
            options={(nodes.data ?? []).map((node) => ({
              value: node.isLocal ? '0' : String(node.id),
              label: node.status === 'online' ? node.name : t('task.serverOffline', { name: node.name }),
            }))}
          />
        </div>
        <TextField
          label={t('repository.folder')}
          note={t('field.optional')}
          help={isAdopting ? t('repository.adoptFolderHelp') : t('repository.folderHelp')}
          value={values.prefix}
          onChange={(value) => set('prefix', value)}
          error={problem('prefix')}
          className="font-mono text-[13px]"
          spellCheck={false}
          autoCapitalize="none"
        />
        {isAdopting && (
          <TextField
            label={t('repository.password')}
            type="password"
            autoComplete="off"
            help={t('repository.passwordHelp')}
            value={values.password}
            onChange={(value) => set('password', value)}
            onBlur={() => form.touch('password')}
            error={problem('password')}
          />
        )}
        <TextField
          label={t('storage.name')}
          note={t('field.optional')}
          value={values.name}
          onChange={(value) => set('name', value)}
          error={problem('name')}
        />
        <ErrorBox error={form.error} />
        <div className="flex flex-wrap gap-2">
          <Button type="submit" kind="primary" busy={form.isBusy}>
            {isAdopting ? t('repository.adopt') : t('repository.create')}
          </Button>
          <Button kind="ghost" onClick={onCancel}>
            {t('action.cancel')}
          </Button>
        </div>
      </form>
    </Card>
  );
}
