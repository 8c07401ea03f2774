import { useState } from 'react';
import { fieldErrors } from '../api/error-message.ts';
import { useChange } from '../api/queries.ts';
import type { DriverManifest, InspectSourceResult } from '../api/types.ts';
import { CopyBox } from '../components/CopyBox.tsx';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { formatBytes } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';
import { CheckField, TextField } from '../ui/Field.tsx';
import { exampleAddress, readConnectionString } from './connection-string.ts';
import { DriverForm, type DriverValues, driverTitle, sentValues } from './DriverForm.tsx';

/** Fills the fields from a pasted address, and keeps nothing of it. */
function PasteField({ driver, onFill }: { driver: DriverManifest; onFill: (values: DriverValues) => void }) {
  const [text, setText] = useState('');
  const change = (next: string) => {
    const found = readConnectionString(driver, next);
    setText(found ? '' : next);
    if (found) onFill(found);
  };
  return (
    <TextField
      label={t('source.paste')}
      note={t('field.optional')}
      help={t('source.pasteHelp', { example: exampleAddress(driver) })}
      error={text.includes('://') ? t('source.pasteWrong', { kind: driverTitle(driver) }) : undefined}
      value={text}
      onChange={change}
      autoComplete="off"
      spellCheck={false}
      autoCapitalize="none"
    />
  );
}

const sizeWords = (bytes: number | null) => (bytes === null ? '' : formatBytes(bytes));

/** The databases that are there; to choose from where none chosen means all. */
function DatabaseChoice({
  databases,
  chosen,
  onChange,
}: {
  databases: InspectSourceResult['databases'];
  chosen: readonly string[];
  onChange: (names: string[]) => void;
}) {
  const toggle = (name: string) =>
    onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  // What was chosen before and is not there any more can still be taken away.
  const lost = chosen.filter((name) => !databases.some((one) => one.name === name));
  const listed = [...databases, ...lost.map((name) => ({ name, sizeBytes: null }))];
  return (
    <fieldset className="space-y-2">
      <legend className="mb-1.5 font-medium">{t('source.chooseDatabases')}</legend>
      <CheckField label={t('source.all')} checked={chosen.length === 0} onChange={() => onChange([])} />
      {listed.map(({ name, sizeBytes }) => (
        <CheckField
          key={name}
          label={name}
          help={sizeWords(sizeBytes)}
          checked={chosen.includes(name)}
          onChange={() => toggle(name)}
        />
      ))}
    </fieldset>
  );
}

function Inspection({
  driver,
  found,
  values,
  onChange,
}: {
  driver: DriverManifest;
  found: InspectSourceResult;
  values: DriverValues;
  onChange: (values: DriverValues) => void;
}) {
  const list = driver.fields.find((field) => field.name === 'databases' && field.kind === 'list');
  const chosen = Array.isArray(values.databases) ? values.databases.map(String).filter((name) => name.trim()) : [];
  return (
    <div className="space-y-4">
      <Callout tone="ok" icon="check-circle" role="status" title={t('source.connected', { server: found.server })}>
        {found.tool && <p>{t('source.tool', { tool: found.tool })}</p>}
        {list?.required && (
          <ul>
            {found.databases.map(({ name, sizeBytes }) => (
              <li key={name} className="[overflow-wrap:anywhere]">
                {name} {sizeWords(sizeBytes)}
              </li>
            ))}
          </ul>
        )}
      </Callout>
      {found.warnings.map((warning) => (
        <Callout key={warning} tone="warn" icon="alert" title={warning} />
      ))}
      {list && !list.required && (
        <DatabaseChoice
          databases={found.databases}
          chosen={chosen}
          onChange={(databases) => onChange({ ...values, databases })}
        />
      )}
      {found.readOnlyUserSql && (
        <div className="space-y-1.5">
          <CopyBox label={t('source.readOnlyUser')} text={found.readOnlyUserSql} />
          <p className="text-[13px] text-ink-3">{t('source.readOnlyUserHelp')}</p>
        </div>
      )}
    </div>
  );
}

/** Words for refused settings by field; the server names them below the part of the form they are in. */
export function refusedBelow(part: string, error: unknown): Record<string, string> {
  const found = Object.entries(fieldErrors(error)).filter(([path]) => path.startsWith(`${part}.`));
  return Object.fromEntries(found.map(([path, words]) => [path.slice(part.length + 1).split('.')[0] ?? '', words]));
}

/** The settings of a source that is no folder, and the test whether it answers. */
export function SourceFields({
  driver,
  values,
  onChange,
  problems,
  place,
}: {
  driver: DriverManifest;
  values: DriverValues;
  onChange: (values: DriverValues) => void;
  problems: Readonly<Record<string, string>>;
  place: { readonly nodeId: number; readonly taskId: number | undefined };
}) {
  const test = useChange('sources.inspect', []);
  const run = () => test.mutate({ body: { type: driver.type, ...place, config: sentValues(driver.fields, values) } });
  return (
    <div className="space-y-4">
      {driver.fields.some(({ name }) => name === 'dbHost' || name === 'uri') && (
        <PasteField driver={driver} onFill={(found) => onChange({ ...values, ...found })} />
      )}
      <DriverForm
        driver={driver}
        values={values}
        onChange={onChange}
        problems={{ ...refusedBelow('config', test.error), ...problems }}
      />
      {driver.canInspect && (
        <Button icon="activity" busy={test.isPending} onClick={run}>
          {t('source.test')}
        </Button>
      )}
      <ErrorBox error={test.error} />
      {test.data && !test.isPending && (
        <Inspection driver={driver} found={test.data} values={values} onChange={onChange} />
      )}
    </div>
  );
}
