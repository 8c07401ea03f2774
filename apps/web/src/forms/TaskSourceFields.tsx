import type { DriverManifest, Node, Task } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { SelectField, TextArea } from '../ui/Field.tsx';
import { driverTitle, initialDriverValues, missingFields, sentValues } from './DriverForm.tsx';
import { PathListField } from './PathListField.tsx';
import { refusedBelow, SourceFields } from './SourceFields.tsx';
import type { TaskValues } from './task-values.ts';
import type { Form, Problems } from './use-form.ts';

/** True for sources that are folders and files, which have fields of their own. Until the drivers are here: all. */
const hasPaths = (driver: DriverManifest | undefined) =>
  driver === undefined || driver.fields.some((field) => field.name === 'paths');

const driverOf = (drivers: readonly DriverManifest[], type: string) => drivers.find((one) => one.type === type);

/** What cannot be sent as it is. */
export function sourceProblems(drivers: readonly DriverManifest[], values: TaskValues): Problems<TaskValues> {
  const driver = driverOf(drivers, values.type);
  if (!driver || hasPaths(driver)) {
    return values.sourcePaths.some((path) => path.trim()) ? {} : { sourcePaths: t('task.pathRequired') };
  }
  const missing = missingFields(driver, sentValues(driver.fields, values.extraConfig));
  return missing.length > 0 ? { extraConfig: t('field.required') } : {};
}

interface Props {
  readonly form: Form<TaskValues>;
  readonly task: Task | null;
  readonly node: Node | undefined;
  readonly drivers: readonly DriverManifest[];
}

function FolderFields({ form: { values, set, touch, problem }, node }: Pick<Props, 'form' | 'node'>) {
  return (
    <>
      <PathListField
        label={t('task.paths')}
        paths={values.sourcePaths}
        onChange={(paths) => set('sourcePaths', paths)}
        onBlur={() => touch('sourcePaths')}
        node={{ id: node?.id ?? 1, name: node?.isLocal ? t('servers.local') : (node?.name ?? '') }}
        error={problem('sourcePaths')}
      />
      <TextArea
        label={t('task.excludes')}
        note={t('field.optional')}
        value={values.excludes}
        onChange={(value) => set('excludes', value)}
        help={t('task.excludesHelp')}
        placeholder={'node_modules/\n*.tmp'}
        spellCheck={false}
        error={problem('excludes')}
      />
    </>
  );
}

/** What is backed up: the kind of a new task, then its folders or the settings of its driver. */
export function TaskSourceFields({ form, task, node, drivers }: Props) {
  const { values, setAll, problem } = form;
  const driver = driverOf(drivers, values.type);
  const missing =
    driver && problem('extraConfig') ? missingFields(driver, sentValues(driver.fields, values.extraConfig)) : [];
  const required = Object.fromEntries(missing.map((name) => [name, t('field.required')]));
  const choose = (type: string) => {
    const next = driverOf(drivers, type);
    const isFolder = hasPaths(next);
    setAll({ ...values, type, extraConfig: next && !isFolder ? initialDriverValues(next) : {} });
  };
  return (
    <div className="mt-4 space-y-4">
      {!task && drivers.length > 1 && (
        <SelectField
          label={t('source.kind')}
          value={values.type}
          onChange={choose}
          options={drivers.map((one) => ({ value: one.type, label: driverTitle(one) }))}
        />
      )}
      {driver && !hasPaths(driver) ? (
        <SourceFields
          key={driver.type}
          driver={driver}
          values={values.extraConfig}
          onChange={(extraConfig) => form.set('extraConfig', extraConfig)}
          problems={{ ...refusedBelow('extraConfig', form.error), ...required }}
          place={{ nodeId: node?.id ?? values.nodeId, taskId: task?.id }}
        />
      ) : (
        <FolderFields form={form} node={node} />
      )}
    </div>
  );
}
