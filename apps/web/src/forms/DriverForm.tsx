/** Draws the fields of any driver from its manifest; nothing here knows a driver by name. */
import { useLayoutEffect, useRef, useState } from 'react';
import type { DriverManifest, FieldManifest } from '../api/types.ts';
import { driverText } from '../i18n/driver-texts.ts';
import { t } from '../i18n/i18n.ts';
import { CheckField, SelectField, TextArea, TextField } from '../ui/Field.tsx';

export type DriverValues = Readonly<Record<string, unknown>>;

const isRecordList = (value: unknown): value is string[] => Array.isArray(value);

/** Mirror of the contract's MASKED_SECRET, which would bring the schemas along. */
export const MASKED = '********';

export function driverTitle(driver: DriverManifest): string {
  return driverText(`driver.${driver.type}.title`, driver.title);
}

/** Values of a new form: what the driver declares as default. */
export function initialDriverValues(driver: DriverManifest): DriverValues {
  return Object.fromEntries(
    driver.fields.flatMap((field) => (field.default === undefined ? [] : [[field.name, field.default]])),
  );
}

/** What is sent: lists without their empty lines. */
export function sentValues(fields: readonly FieldManifest[], values: DriverValues): Record<string, unknown> {
  const lists = new Set(fields.filter((field) => field.kind === 'list').map((field) => field.name));
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      lists.has(name) && isRecordList(value) ? value.filter((line) => line.trim() !== '') : value,
    ]),
  );
}

/** Required fields that are still empty. */
export function missingFields(driver: DriverManifest, values: DriverValues): readonly string[] {
  return driver.fields
    .filter((field) => field.required && field.kind !== 'boolean')
    .filter((field) => values[field.name] === undefined || String(values[field.name]).trim() === '')
    .map((field) => field.name);
}

interface FieldControlProps {
  type: string;
  field: FieldManifest;
  value: unknown;
  error?: string;
  onChange: (value: unknown) => void;
  /** An option of a restore, not a setting. */
  isRestore: boolean;
}

/** An emptied field is left out of the config; numbers are sent as numbers. */
function parseLine(field: FieldManifest, text: string): string | number | undefined {
  if (text === '') return undefined;
  return field.kind === 'number' ? Number(text) : text;
}

function LineControl({
  field,
  shared,
  value,
  onChange,
}: Pick<FieldControlProps, 'field' | 'value' | 'onChange'> & {
  shared: { label: string; help?: string; error?: string; note?: string };
}) {
  const plainType = field.kind === 'number' ? 'number' : 'text';
  return (
    <TextField
      {...shared}
      value={String(value ?? '')}
      onChange={(next) => onChange(parseLine(field, next))}
      type={field.secret ? 'password' : plainType}
      autoComplete={field.secret ? 'new-password' : 'off'}
      // A stored secret is shown as a mask: typing replaces it as a whole.
      onFocus={(event) => value === MASKED && event.target.select()}
      placeholder={field.placeholder}
      spellCheck={false}
      autoCapitalize="none"
    />
  );
}

/** It comes with a value, so nobody wonders whether it may be left empty. */
const isFilled = ({ default: first }: FieldManifest) => first !== undefined && first !== '' && !Array.isArray(first);

/** Something else stands in it than in a new form. */
function isChanged({ name, default: first = '' }: FieldManifest, values: DriverValues): boolean {
  const value = values[name] ?? first;
  return String(value) !== String(first);
}

interface Panel {
  /** The fields in it. */
  readonly fields: readonly FieldManifest[];
  readonly values: DriverValues;
  readonly problems: Readonly<Record<string, string>>;
  /** As it is seen now. */
  readonly isOpen: boolean;
}

/** What is set, pasted or wrong is not hidden, and what is open does not close while somebody types in it. */
export function staysOpen({ fields, values, problems, isOpen }: Panel): boolean {
  return isOpen || fields.some((field) => problems[field.name] || isChanged(field, values));
}

/** Settings of a task and options of a restore share their names, and not always what is said of them. */
function helpOf({ key, restoreKey, field, isRestore }: HelpOf): string {
  const words = field.help ?? '';
  const shared = driverText(`${key}.help`, words);
  return isRestore ? driverText(`${restoreKey}.help`, shared) : shared;
}

interface HelpOf {
  readonly key: string;
  readonly restoreKey: string;
  readonly field: FieldManifest;
  readonly isRestore: boolean;
}

function FieldControl({ type, field, value, error, onChange, isRestore }: FieldControlProps) {
  const key = `driver.${type}.${field.name}`;
  const label = driverText(key, field.label);
  const help = field.help && helpOf({ key, restoreKey: `driver.${type}.restore.${field.name}`, field, isRestore });
  const shared = { label, help, error, note: field.required || isFilled(field) ? undefined : t('field.optional') };
  if (field.kind === 'boolean') {
    return <CheckField label={label} help={help} checked={value === true} onChange={onChange} />;
  }
  if (field.kind === 'select') {
    const options = (field.options ?? []).map((option) => ({
      value: option,
      label: driverText(`${key}.${option}`, option),
    }));
    return <SelectField {...shared} value={String(value ?? '')} onChange={onChange} options={options} />;
  }
  if (field.kind === 'list' || field.multiline) {
    const text = isRecordList(value) ? value.join('\n') : String(value ?? '');
    const change = (next: string) => onChange(field.kind === 'list' ? next.split('\n') : next);
    return <TextArea {...shared} value={text} onChange={change} placeholder={field.placeholder} />;
  }
  return <LineControl field={field} shared={shared} value={value} onChange={onChange} />;
}

export function DriverForm({
  driver,
  fields = driver.fields,
  values,
  onChange,
  problems,
}: {
  driver: DriverManifest;
  /** Other fields of the driver than its settings: those of a restore. */
  fields?: readonly FieldManifest[];
  values: DriverValues;
  onChange: (values: DriverValues) => void;
  problems: Readonly<Record<string, string>>;
}) {
  const draw = (field: FieldManifest) => (
    <FieldControl
      key={field.name}
      type={driver.type}
      field={field}
      value={values[field.name]}
      error={problems[field.name]}
      onChange={(value) => onChange({ ...values, [field.name]: value })}
      isRestore={fields !== driver.fields}
    />
  );
  const advanced = fields.filter((field) => field.advanced);
  const [isOpen, setOpen] = useState(false);
  const panel = useRef<HTMLDetailsElement>(null);
  const isWrong = advanced.some((field) => problems[field.name]);
  // Who has closed it did so behind React's back, which sees no reason to open it then.
  useLayoutEffect(() => {
    if (isWrong && panel.current) panel.current.open = true;
  });
  return (
    <div className="space-y-4">
      {fields.filter((field) => !field.advanced).map(draw)}
      {advanced.length > 0 && (
        <details
          ref={panel}
          className="rounded-lg border border-line px-4 py-3"
          onToggle={(event) => setOpen(event.currentTarget.open)}
          open={staysOpen({ fields: advanced, values, problems, isOpen })}
        >
          <summary className="font-medium">{t('form.advanced')}</summary>
          <div className="mt-4 space-y-4">{advanced.map(draw)}</div>
        </details>
      )}
    </div>
  );
}
