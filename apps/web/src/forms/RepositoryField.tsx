import { useStorageTargets } from '../api/queries.ts';
import type { Node, Repository } from '../api/types.ts';
import { ownRepository } from '../components/own-repository.ts';
import { t } from '../i18n/i18n.ts';
import { Callout } from '../ui/Card.tsx';
import { SelectField } from '../ui/Field.tsx';
import type { TaskValues } from './task-values.ts';
import type { Form } from './use-form.ts';

interface Choice {
  readonly value: string;
  readonly label: string;
}

/** Others that the server reaches, on any storage: choosing one adds its storage. */
function otherChoices(repositories: readonly Repository[], own: Repository | undefined, nodeId: number): Choice[] {
  return repositories
    .filter((one) => one.id !== own?.id && (one.isReachableFromMaster || one.nodeId === nodeId))
    .map((one) => ({
      value: String(one.id),
      label: t('mode.repositoryOn', { name: one.name, storage: one.storageTargetName }),
    }));
}

/** Which repository the snapshots go to: by itself one per server and storage, or one that exists. */
export function RepositoryField({
  form: { values, setAll, problem },
  node,
  repositories,
}: {
  form: Form<TaskValues>;
  node: Node | undefined;
  repositories: readonly Repository[];
}) {
  const targets = useStorageTargets();
  const nodeId = node?.id ?? 0;
  const [first = 0, ...further] = values.storageTargetIds;
  const own = ownRepository(repositories, nodeId, first);
  const target = targets.data?.find((one) => one.id === first)?.name;
  const ownName = own?.name ?? (node && target ? `${node.name} – ${target}` : '');
  const choose = (id: number) => {
    const storageTargetId = repositories.find((one) => one.id === id)?.storageTargetId;
    const ids = values.storageTargetIds;
    const isNew = storageTargetId !== undefined && !ids.includes(storageTargetId);
    setAll({ ...values, repositoryId: id, storageTargetIds: isNew ? [storageTargetId, ...ids] : ids });
  };
  const isOwn = values.repositoryId === 0;
  const madeLater = isOwn && !own && ownName !== '' ? t('mode.madeByFirstRun') : '';
  const copies = further.length > 0 ? t('mode.copies', { count: further.length }) : '';
  const damaged = repositories.find((one) => one.id === (isOwn ? own?.id : values.repositoryId));
  return (
    <div className="space-y-3">
      <SelectField
        label={t('repository.repository')}
        help={[madeLater, copies].filter(Boolean).join(' ') || undefined}
        value={String(values.repositoryId)}
        onChange={(value) => choose(Number(value))}
        error={problem('repositoryId')}
        options={[
          { value: '0', label: ownName ? t('mode.ownNamed', { name: ownName }) : t('mode.own') },
          ...otherChoices(repositories, own, nodeId),
        ]}
      />
      {damaged?.state === 'damaged' && (
        <Callout tone="bad" icon="alert" title={t('repository.damagedTitle', { name: damaged.name })} />
      )}
    </div>
  );
}
