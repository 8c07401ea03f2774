import { useState } from 'react';
import { call } from '../../api/client.ts';
import { readDraft, writeDraft } from '../../api/preferences.ts';
import { queryClient, useNodes, useSettings, useStorageTargets, useSystemInfo } from '../../api/queries.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { retentionWords } from '../../components/retention-words.ts';
import { PathListField } from '../../forms/PathListField.tsx';
import { RetentionFields } from '../../forms/RetentionFields.tsx';
import { ScheduleField } from '../../forms/ScheduleField.tsx';
import { type TaskValues, taskBody, taskDefaults } from '../../forms/task-values.ts';
import { useForm } from '../../forms/use-form.ts';
import { cronWords } from '../../i18n/cron-words.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { CheckField, SelectField, TextField } from '../../ui/Field.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { FirstRun } from './FirstRun.tsx';

interface Values extends Omit<TaskValues, 'storageTargetIds'> {
  /** 0: create a local folder target at `folder`. */
  readonly targetId: number;
  /** Null: untouched, what the server suggests. */
  readonly folder: string | null;
}

const DRAFT = 'first-backup';
/** When the server suggests none. */
const FALLBACK_FOLDER = '/var/backups/backupx';
const initial: Values = {
  ...taskDefaults,
  name: '',
  nodeId: 0,
  type: 'file',
  extraConfig: {},
  sourcePaths: [''],
  excludes: '',
  timezone: '',
  targetId: 0,
  folder: null,
};

const firstPath = (values: Values) => values.sourcePaths.map((path) => path.trim()).find(Boolean) ?? '';
/** `/srv/www/` → `www`: a task needs a name, and nobody should have to think of one now. */
const nameOf = (path: string) => path.replace(/\/+$/, '').split('/').pop() || 'files';

/** Creates storage (when new) and task, starts the task; answers the record. Safe to repeat after a failure. */
async function startFirstBackup(values: Values, folder: string): Promise<number> {
  let storageTargetId = values.targetId;
  if (storageTargetId === 0) {
    const target = await call('storageTargets.create', {
      body: { name: t('first.localDisk'), type: 'local_disk', config: { basePath: folder } },
    });
    storageTargetId = target.id;
  }
  const name = nameOf(firstPath(values));
  const task = await call('tasks.create', {
    body: taskBody({ ...values, name, storageTargetIds: [storageTargetId] }, null),
  });
  const record = await call('tasks.run', { params: { id: task.id } });
  return record.id;
}

function Summary({ values, target, zone }: { values: Values; target: string; zone: string }) {
  const path = firstPath(values);
  return (
    <Card title={t('first.summary')} className="lg:sticky lg:top-8">
      <ul className="space-y-3">
        <li className="flex gap-2.5">
          <Icon name="folder" className="mt-0.5 text-ink-3" />
          <span className="min-w-0 [overflow-wrap:anywhere]">{path || t('first.noPath')}</span>
        </li>
        <li className="flex gap-2.5">
          <Icon name="storage" className="mt-0.5 text-ink-3" />
          <span className="min-w-0 [overflow-wrap:anywhere]">{target}</span>
        </li>
        <li className="flex gap-2.5">
          <Icon name="clock" className="mt-0.5 text-ink-3" />
          {t('schedule.inZone', {
            words: cronWords(values.cronExpr) ?? values.cronExpr,
            zone: values.timezone || zone,
          })}
        </li>
        <li className="flex gap-2.5">
          <Icon name="history" className="mt-0.5 text-ink-3" />
          {retentionWords(values)}
        </li>
        <li className="flex gap-2.5">
          <Icon name={values.encrypt ? 'lock' : 'unlock'} className="mt-0.5 text-ink-3" />
          {values.encrypt ? t('first.encrypted') : t('first.notEncrypted')}
        </li>
      </ul>
    </Card>
  );
}

/** The overview until one task exists: four inputs on one page, then the first run in the same place. */
export function FirstBackup({ onStarted, onDone }: { onStarted: () => void; onDone: () => void }) {
  const nodes = useNodes();
  const settings = useSettings();
  const targets = useStorageTargets();
  const info = useSystemInfo();
  const suggested = info.data?.suggestedStoragePath ?? (info.isPending ? '' : FALLBACK_FOLDER);
  const folderOf = (values: Values) => (values.folder ?? suggested).trim();
  const [recordId, setRecordId] = useState<number | null>(null);
  const [hasPickedTarget, setPickedTarget] = useState(false);
  const form = useForm<Values>({
    initial: readDraft<Values>(DRAFT) ?? initial,
    validate: (values) => ({
      ...(firstPath(values) ? {} : { sourcePaths: t('task.pathRequired') }),
      ...(values.targetId > 0 || folderOf(values).startsWith('/') ? {} : { folder: t('first.folderRule') }),
    }),
    submit: async (values) => {
      onStarted();
      setRecordId(await startFirstBackup({ ...values, targetId }, folderOf(values)));
      writeDraft(DRAFT, null);
      for (const key of ['storage-targets', 'tasks', 'overview'])
        void queryClient.invalidateQueries({ queryKey: [key] });
    },
  });
  const { values } = form;
  const targetId = hasPickedTarget || values.targetId > 0 ? values.targetId : (targets.data?.[0]?.id ?? 0);
  const set: typeof form.set = (name, value) => {
    form.set(name, value);
    writeDraft(DRAFT, { ...values, [name]: value });
  };
  const local = nodes.data?.find((node) => node.isLocal);
  const zone = settings.data?.timezone ?? 'UTC';
  if (recordId !== null) return <FirstRun recordId={recordId} onDone={onDone} />;
  const target = targets.data?.find((item) => item.id === targetId)?.name ?? folderOf(values);
  return (
    <>
      <PageHeader title={t('first.title')} note={t('first.text')} />
      <form
        ref={form.formRef}
        onSubmit={form.onSubmit}
        onKeyDown={(event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && void form.onSubmit(event)}
        noValidate
        className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]"
      >
        <div className="min-w-0 space-y-5">
          <Card title={t('first.what')}>
            <PathListField
              label={t('first.paths')}
              paths={values.sourcePaths}
              onChange={(paths) => set('sourcePaths', paths)}
              onBlur={() => firstPath(values) && form.touch('sourcePaths')}
              node={{ id: local?.id ?? 1, name: t('servers.local') }}
              error={form.problem('sourcePaths')}
            />
          </Card>
          <Card title={t('first.where')}>
            <div className="space-y-4">
              {(targets.data?.length ?? 0) > 0 && (
                <SelectField
                  label={t('first.target')}
                  value={String(targetId)}
                  onChange={(value) => {
                    setPickedTarget(true);
                    set('targetId', Number(value));
                  }}
                  options={[
                    ...(targets.data ?? []).map((item) => ({ value: String(item.id), label: item.name })),
                    { value: '0', label: t('first.newFolder') },
                  ]}
                />
              )}
              {targetId === 0 && (
                <TextField
                  label={t('first.folder')}
                  value={values.folder ?? suggested}
                  onChange={(value) => set('folder', value)}
                  onBlur={() => form.touch('folder')}
                  help={t('first.folderHelp')}
                  error={form.problem('folder')}
                  className="font-mono"
                  spellCheck={false}
                />
              )}
            </div>
          </Card>
          <details className="rounded-xl border border-line bg-surface px-4 py-3.5 shadow-card">
            <summary className="font-semibold">{t('first.change')}</summary>
            <div className="mt-5 space-y-6">
              <ScheduleField
                cronExpr={values.cronExpr}
                timezone={values.timezone}
                defaultZone={zone}
                onChange={(next) => form.setAll({ ...values, ...next })}
              />
              <RetentionFields values={values} onChange={(next) => form.setAll({ ...values, ...next })} />
              <CheckField
                label={t('task.encrypt')}
                help={t('task.encryptHelp')}
                checked={values.encrypt}
                onChange={(checked) => set('encrypt', checked)}
              />
            </div>
          </details>
        </div>
        <div className="space-y-4 max-lg:sticky max-lg:bottom-15">
          <div className="max-sm:hidden">
            <Summary values={values} target={target} zone={zone} />
          </div>
          <ErrorBox error={form.error} />
          <Button type="submit" kind="primary" icon="play" busy={form.isBusy} className="h-10! w-full">
            {t('first.submit')}
          </Button>
        </div>
      </form>
    </>
  );
}
