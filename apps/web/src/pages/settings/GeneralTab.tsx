import { useId } from 'react';
import { useChange, useSettings, useSystemInfo } from '../../api/queries.ts';
import type { Settings } from '../../api/types.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { QueryView } from '../../components/QueryView.tsx';
import { UnsavedChanges } from '../../components/UnsavedChanges.tsx';
import { useForm } from '../../forms/use-form.ts';
import { formatDuration } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { TextField } from '../../ui/Field.tsx';
import { showToast } from '../../ui/Toast.tsx';

function GeneralForm({ settings }: { settings: Settings }) {
  const listId = useId();
  const update = useChange('settings.update', ['settings']);
  const form = useForm({
    initial: settings,
    validate: ({ externalUrl, timezone }) => ({
      ...(externalUrl === '' || /^https?:\/\/\S+$/.test(externalUrl) ? {} : { externalUrl: t('settings.urlRule') }),
      ...(timezone.trim() ? {} : { timezone: t('field.required') }),
    }),
    submit: async (body) => {
      await update.mutateAsync({ body: { ...body, externalUrl: body.externalUrl.replace(/\/+$/, '') } });
      showToast({ text: t('settings.saved') });
    },
  });
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-4">
      <UnsavedChanges when={() => form.isDirty} />
      <TextField
        label={t('settings.siteName')}
        value={form.values.siteName}
        onChange={(value) => form.set('siteName', value)}
        error={form.problem('siteName')}
      />
      <TextField
        label={t('settings.timezone')}
        help={t('settings.timezoneHelp')}
        list={listId}
        value={form.values.timezone}
        onChange={(value) => form.set('timezone', value)}
        error={form.problem('timezone')}
        spellCheck={false}
      />
      <datalist id={listId}>
        {Intl.supportedValuesOf('timeZone').map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <TextField
        label={t('settings.externalUrl')}
        note={t('field.optional')}
        help={t('settings.externalUrlHelp')}
        placeholder="https://backup.example.com"
        value={form.values.externalUrl}
        onChange={(value) => form.set('externalUrl', value)}
        onBlur={() => form.touch('externalUrl')}
        error={form.problem('externalUrl')}
        spellCheck={false}
      />
      <ErrorBox error={form.error} />
      <Button type="submit" kind="primary" busy={form.isBusy}>
        {t('action.save')}
      </Button>
    </form>
  );
}

export function GeneralTab() {
  const settings = useSettings();
  const system = useSystemInfo();
  return (
    <div className="grid max-w-4xl items-start gap-5 md:grid-cols-[minmax(0,1fr)_20rem]">
      <Card>
        <QueryView query={settings}>{(data) => <GeneralForm settings={data} />}</QueryView>
      </Card>
      <Card title={t('settings.system')}>
        <QueryView query={system}>
          {(info) => (
            <Facts
              items={[
                [t('servers.version'), info.version],
                [t('settings.host'), info.hostname],
                [t('settings.uptime'), formatDuration(info.uptimeSeconds)],
                [t('settings.database'), info.databaseKind],
                [t('settings.runtime'), `Node ${info.nodeVersion.replace(/^v/, '')}`],
              ]}
            />
          )}
        </QueryView>
      </Card>
    </div>
  );
}
