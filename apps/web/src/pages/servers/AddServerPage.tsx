import { useState } from 'react';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import type { AnswerOf } from '../../api/route-table.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { useForm } from '../../forms/use-form.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { TextField } from '../../ui/Field.tsx';
import { ConnectAgent } from './ConnectAgent.tsx';

type Created = AnswerOf<'nodes.create'>;

/** A name, then one command to copy, then "connected" without a reload. */
export default function AddServerPage() {
  const [node, setNode] = useState<Created | null>(null);
  const form = useForm({
    initial: { name: '' },
    validate: ({ name }) => (name.trim() ? {} : { name: t('field.required') }),
    submit: async ({ name }) => {
      setNode(await call('nodes.create', { body: { name } }));
      void queryClient.invalidateQueries({ queryKey: ['nodes'] });
    },
  });
  return (
    <div className="mx-auto max-w-3xl">
      <PageHeader
        title={t('servers.add')}
        note={t('servers.addNote')}
        back={{ to: paths.servers, label: t('nav.servers') }}
      />
      {node ? (
        <ConnectAgent node={node} />
      ) : (
        <Card>
          <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
            <TextField
              label={t('servers.name')}
              help={t('servers.nameHelp')}
              placeholder="web-02"
              value={form.values.name}
              onChange={(value) => form.set('name', value)}
              error={form.problem('name')}
              autoFocus
            />
            <ErrorBox error={form.error} />
            <Button type="submit" kind="primary" busy={form.isBusy}>
              {t('servers.createCommand')}
            </Button>
          </form>
        </Card>
      )}
    </div>
  );
}
