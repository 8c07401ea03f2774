import { useRef } from 'react';
import { call } from '../api/client.ts';
import { queryClient, useChange } from '../api/queries.ts';
import type { DriverManifest, StorageTarget } from '../api/types.ts';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { UnsavedChanges } from '../components/UnsavedChanges.tsx';
import { formatBytes, formatNumber } from '../i18n/format.ts';
import { hasMessage, t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';
import { ChoiceCards, TextField } from '../ui/Field.tsx';
import { DriverForm, driverTitle, initialDriverValues, missingFields } from './DriverForm.tsx';
import { useForm } from './use-form.ts';

interface Values {
  name: string;
  type: string;
  description: string;
  config: Readonly<Record<string, unknown>>;
}

const stepWord = (name: string) =>
  hasMessage(`storageTest.${name}`) ? t(`storageTest.${name}` as 'nav.overview') : name;

/** The outcome of the test with the typed values: each step with its time, or what went wrong. */
function TestOutcome({ test }: { test: ReturnType<typeof useChange<'storageTargets.testUnsaved'>> }) {
  if (test.error) return <ErrorBox error={test.error} />;
  if (!test.data) return null;
  const { steps, usage } = test.data;
  return (
    <Callout tone="ok" icon="check-circle" role="status" title={t('storage.testOk')}>
      <ul className="flex flex-wrap gap-x-4">
        {steps.map((step) => (
          <li key={step.name}>
            {t('storage.testStep', { step: stepWord(step.name), ms: formatNumber(Math.round(step.durationMs)) })}
          </li>
        ))}
      </ul>
      {usage?.freeBytes !== null && usage && <p>{t('storage.free', { size: formatBytes(usage.freeBytes) })}</p>}
    </Callout>
  );
}

/** Creates or changes a storage target. The test uses the values as typed; a masked secret stands for the stored one. */
export function StorageTargetForm({
  drivers,
  target,
  onSaved,
  onCancel,
  guard,
}: {
  drivers: readonly DriverManifest[];
  target: StorageTarget | null;
  onSaved: (target: StorageTarget) => void;
  onCancel: () => void;
  /** Ask before leaving with unsaved changes; not inside a dialog. */
  guard?: boolean;
}) {
  const first = drivers[0];
  const test = useChange('storageTargets.testUnsaved', []);
  // A ref, not state: the guard must see the form as saved at once, not after the next drawing.
  const isDone = useRef(false);
  const driverOf = (type: string) => drivers.find((driver) => driver.type === type);
  const form = useForm<Values>({
    initial: target ?? {
      name: '',
      type: first?.type ?? '',
      description: '',
      config: first ? initialDriverValues(first) : {},
    },
    validate: ({ name, type, config }) => {
      const driver = driverOf(type);
      return {
        ...(name.trim() ? {} : { name: t('field.required') }),
        ...(driver && missingFields(driver, config).length > 0 ? { config: t('field.required') } : {}),
      };
    },
    submit: async ({ name, type, description, config }) => {
      const body = { name, type, description, config, enabled: target?.enabled ?? true };
      const saved = target
        ? await call('storageTargets.update', { params: { id: target.id }, body })
        : await call('storageTargets.create', { body });
      isDone.current = true;
      void queryClient.invalidateQueries({ queryKey: ['storage-targets'] });
      onSaved(saved);
    },
  });
  const { name, type, config } = form.values;
  const driver = driverOf(type);
  const missing = driver && form.problem('config') ? missingFields(driver, config) : [];
  return (
    <form ref={form.formRef} onSubmit={form.onSubmit} noValidate className="space-y-5">
      {guard && <UnsavedChanges when={() => form.isDirty && !isDone.current} />}
      {!target && (
        <ChoiceCards
          legend={t('storage.type')}
          value={type}
          onChange={(next) => {
            const chosen = driverOf(next);
            form.setAll({ ...form.values, type: next, config: chosen ? initialDriverValues(chosen) : {} });
            test.reset();
          }}
          choices={drivers.map((item) => ({
            value: item.type,
            label: driverTitle(item),
            help: hasMessage(`driver.${item.type}.about`)
              ? t(`driver.${item.type}.about` as 'nav.overview')
              : undefined,
          }))}
        />
      )}
      <TextField
        label={t('storage.name')}
        value={name}
        onChange={(value) => form.set('name', value)}
        onBlur={() => form.touch('name')}
        error={form.problem('name')}
      />
      {driver && (
        <DriverForm
          driver={driver}
          values={config}
          onChange={(values) => form.set('config', values)}
          problems={Object.fromEntries(missing.map((field) => [field, t('field.required')]))}
        />
      )}
      <TestOutcome test={test} />
      <ErrorBox error={form.error} />
      <div className="flex flex-wrap gap-2">
        <Button type="submit" kind="primary" busy={form.isBusy}>
          {target ? t('action.save') : t('storage.create')}
        </Button>
        <Button
          icon="activity"
          busy={test.isPending}
          onClick={() => {
            if (driver && missingFields(driver, config).length > 0) form.touch('config');
            else test.mutate({ body: { id: target?.id, type, config } });
          }}
        >
          {t('storage.test')}
        </Button>
        <Button kind="ghost" onClick={onCancel}>
          {t('action.cancel')}
        </Button>
      </div>
    </form>
  );
}
