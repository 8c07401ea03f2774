import { useId, useState } from 'react';
import { useDrivers, useStorageTargets } from '../api/queries.ts';
import { QueryView } from '../components/QueryView.tsx';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';
import { CheckField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';
import { StorageTargetForm } from './StorageTargetForm.tsx';

/** Where a task's copies go: one or more targets, with a way to create one without leaving the form. */
export function StorageTargetsField({
  selected,
  onChange,
  error,
}: {
  selected: readonly number[];
  onChange: (ids: number[]) => void;
  error?: string;
}) {
  const id = useId();
  const targets = useStorageTargets();
  const drivers = useDrivers();
  const [creating, setCreating] = useState(false);
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">{t('task.targets')}</legend>
      <QueryView query={targets} rows={2}>
        {(items) => (
          <div className="space-y-2.5">
            {items.length === 0 && <p className="text-ink-2">{t('task.noTargets')}</p>}
            {items.map((target) => (
              <CheckField
                key={target.id}
                label={target.name}
                help={target.enabled ? target.description || undefined : t('storage.disabled')}
                disabled={!target.enabled && !selected.includes(target.id)}
                checked={selected.includes(target.id)}
                onChange={(checked) =>
                  onChange(checked ? [...selected, target.id] : selected.filter((other) => other !== target.id))
                }
              />
            ))}
          </div>
        )}
      </QueryView>
      <Button
        small
        kind="ghost"
        icon="plus"
        className="mt-2 -ml-2"
        onClick={() => setCreating(true)}
        aria-invalid={error ? true : undefined}
        aria-describedby={error ? `${id}-error` : undefined}
      >
        {t('storage.add')}
      </Button>
      {error && (
        <p id={`${id}-error`} className="mt-1 flex items-start gap-1.5 text-[13px] text-bad">
          <Icon name="alert" size={14} className="mt-0.5" />
          {error}
        </p>
      )}
      <Dialog
        open={creating}
        onClose={() => setCreating(false)}
        title={t('storage.add')}
        closeLabel={t('action.close')}
        wide
      >
        {drivers.data && (
          <StorageTargetForm
            drivers={drivers.data.storages}
            target={null}
            onCancel={() => setCreating(false)}
            onSaved={(target) => {
              onChange([...selected, target.id]);
              setCreating(false);
            }}
          />
        )}
      </Dialog>
    </fieldset>
  );
}
