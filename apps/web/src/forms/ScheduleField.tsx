import { useId, useState } from 'react';
import { useSchedulePreview } from '../api/queries.ts';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { cronWords } from '../i18n/cron-words.ts';
import { browserZone, formatTime, formatWeekdayTime, zonesDiffer } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { SelectField, TextField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';

const PRESETS = ['0 2 * * *', '0 */6 * * *', '0 * * * *', '0 2 * * 1-5', '0 3 * * 0', '0 4 1 * *', ''] as const;
const CUSTOM = 'custom';

/** All zones the browser knows, with the present one even if it does not. */
function zoneNames(present: string): readonly string[] {
  const known = Intl.supportedValuesOf('timeZone');
  return [...new Set([present, 'UTC', ...known])].filter(Boolean);
}

function NextRuns({ cronExpr, timezone }: { cronExpr: string; timezone: string }) {
  const preview = useSchedulePreview(cronExpr, timezone);
  const mine = browserZone();
  if (preview.error) return <ErrorBox error={preview.error} />;
  return (
    <div>
      <p className="mb-1.5 text-xs font-medium text-ink-3">{t('schedule.next')}</p>
      <ol className="min-h-30 space-y-1 tabular-nums">
        {preview.data?.runs.map((run) => (
          <li key={run} className="flex flex-wrap gap-x-2">
            <span>{formatWeekdayTime(run, preview.data.timezone)}</span>
            {zonesDiffer(run, preview.data.timezone, mine) && (
              <span className="text-ink-3">{t('schedule.yourTime', { time: formatTime(run) })}</span>
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** When a task runs: presets or a cron expression, in words, with its zone and the next five runs. */
export function ScheduleField({
  cronExpr,
  timezone,
  defaultZone,
  onChange,
  error,
}: {
  cronExpr: string;
  timezone: string;
  /** The installation's zone, used when `timezone` is empty. */
  defaultZone: string;
  onChange: (value: { cronExpr: string; timezone: string }) => void;
  error?: string;
}) {
  const listId = useId();
  const isPreset = PRESETS.some((preset) => preset === cronExpr);
  const [custom, setCustom] = useState(!isPreset);
  const zone = timezone || defaultZone;
  const words = cronWords(cronExpr) ?? t('schedule.byExpression', { expression: cronExpr });
  return (
    <div className="grid gap-5 sm:grid-cols-2">
      <div className="space-y-4">
        <SelectField
          label={t('schedule.label')}
          value={custom ? CUSTOM : cronExpr}
          onChange={(value) => {
            setCustom(value === CUSTOM);
            if (value !== CUSTOM) onChange({ cronExpr: value, timezone });
          }}
          options={[
            ...PRESETS.map((preset) => ({ value: preset, label: cronWords(preset) ?? preset })),
            { value: CUSTOM, label: t('schedule.custom') },
          ]}
        />
        {custom && (
          <TextField
            label={t('schedule.expression')}
            value={cronExpr}
            onChange={(value) => onChange({ cronExpr: value, timezone })}
            className="font-mono"
            placeholder="30 1 * * 1-5"
            help={t('schedule.expressionHelp')}
            error={error}
            spellCheck={false}
          />
        )}
        {cronExpr !== '' && (
          <>
            <TextField
              label={t('schedule.zone')}
              value={zone}
              list={listId}
              onChange={(value) => onChange({ cronExpr, timezone: value === defaultZone ? '' : value })}
              spellCheck={false}
            />
            <datalist id={listId}>
              {zoneNames(zone).map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
          </>
        )}
      </div>
      <div className="rounded-lg bg-raised/60 p-4">
        <p className="mb-3 flex items-start gap-2 font-medium">
          <Icon name="clock" className="mt-0.5 text-ink-3" />
          <span>{cronExpr === '' ? t('schedule.manualLong') : t('schedule.inZone', { words, zone })}</span>
        </p>
        {cronExpr !== '' && <NextRuns cronExpr={cronExpr} timezone={zone} />}
      </div>
    </div>
  );
}
