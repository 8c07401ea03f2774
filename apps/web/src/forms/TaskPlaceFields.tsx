import { useRepositories } from '../api/repository-queries.ts';
import type { Node } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { CheckField, ChoiceCards, SelectField } from '../ui/Field.tsx';
import { RepositoryField } from './RepositoryField.tsx';
import { StorageTargetsField } from './StorageTargetsField.tsx';
import type { TaskValues } from './task-values.ts';
import type { Form } from './use-form.ts';

const MODES = ['full', 'repository'] as const;

/** Of archives alone: a repository compresses and encrypts by itself, always. */
function ArchiveFields({ form: { values, set } }: { form: Form<TaskValues> }) {
  return (
    <>
      <div className="grid gap-4 sm:grid-cols-2">
        <SelectField
          label={t('task.compression')}
          value={values.compression}
          onChange={(value) => set('compression', value as TaskValues['compression'])}
          options={(['zstd', 'gzip', 'none'] as const).map((id) => ({ value: id, label: t(`compression.${id}`) }))}
        />
      </div>
      <CheckField
        label={t('task.encrypt')}
        help={t('task.encryptHelp')}
        checked={values.encrypt}
        onChange={(checked) => set('encrypt', checked)}
      />
    </>
  );
}

/** Where the backups go and in which form they are kept there. */
export function TaskPlaceFields({ form, node }: { form: Form<TaskValues>; node: Node | undefined }) {
  const { values, set, setAll, problem } = form;
  const isRepository = values.backupMode === 'repository';
  const repositories = useRepositories(isRepository);
  const chosen = repositories.data?.find((one) => one.id === values.repositoryId);
  return (
    <div className="space-y-5">
      <ChoiceCards
        legend={t('mode.legend')}
        value={values.backupMode}
        onChange={(value) => set('backupMode', value as TaskValues['backupMode'])}
        choices={MODES.map((mode) => ({ value: mode, label: t(`mode.${mode}`), help: t(`modeHelp.${mode}`) }))}
      />
      <StorageTargetsField
        selected={values.storageTargetIds}
        onChange={(ids) => {
          const isLost = chosen !== undefined && !ids.includes(chosen.storageTargetId);
          setAll({ ...values, storageTargetIds: ids, repositoryId: isLost ? 0 : values.repositoryId });
        }}
        error={problem('storageTargetIds')}
      />
      {isRepository ? (
        <RepositoryField form={form} node={node} repositories={repositories.data ?? []} />
      ) : (
        <ArchiveFields form={form} />
      )}
    </div>
  );
}
