import { retentionWords } from '../components/retention-words.ts';
import { t } from '../i18n/i18n.ts';
import { TextField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';
import type { RetentionValues } from './task-values.ts';

const names = ['keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly', 'retentionDays', 'maxBackups'] as const;

/** How long records stay, in numbers, with the whole rule in one sentence. */
export function RetentionFields({
  values,
  onChange,
}: {
  values: RetentionValues;
  onChange: (values: Partial<RetentionValues>) => void;
}) {
  return (
    <div>
      <div className="grid grid-cols-2 gap-4 sm:grid-cols-3 lg:grid-cols-6">
        {names.map((name) => (
          <TextField
            key={name}
            label={t(`retention.${name}`)}
            type="number"
            min={0}
            inputMode="numeric"
            value={String(values[name])}
            onChange={(value) => onChange({ [name]: Math.max(0, Math.trunc(Number(value) || 0)) })}
          />
        ))}
      </div>
      <p className="mt-4 flex items-start gap-2 text-ink-2">
        <Icon name="history" className="mt-0.5 text-ink-3" />
        {retentionWords(values)}
      </p>
      <p className="mt-1 ml-6 text-[13px] text-ink-3">{t('retention.always')}</p>
    </div>
  );
}
