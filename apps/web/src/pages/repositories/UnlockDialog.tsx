import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import type { AnswerOf } from '../../api/route-table.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { t } from '../../i18n/i18n.ts';
import { Icon } from '../../ui/Icon.tsx';
import type { WorkDialogProps } from './WorkDialogs.tsx';

type Outcome = AnswerOf<'repositoryActions.unlock'>;

/** Holder of each lock, and why it was taken away. */
function LockList({
  title,
  locks,
}: {
  title: string;
  locks: readonly { id: string; holder: string; reason?: string }[];
}) {
  if (locks.length === 0) return null;
  return (
    <div>
      <h3 className="mb-1.5 font-medium text-ink">{title}</h3>
      <ul className="space-y-1.5">
        {locks.map(({ id, holder, reason }) => (
          <li key={id} className="flex gap-2.5">
            <Icon name={reason ? 'unlock' : 'lock'} size={15} className="mt-0.5 text-ink-3" />
            <span className="min-w-0 [overflow-wrap:anywhere]" lang="en">
              {holder}
              {reason && <span className="text-ink-3">{` · ${reason}`}</span>}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function OutcomeView({ outcome }: { outcome: Outcome }) {
  if (outcome.removed.length + outcome.left.length === 0) return <p>{t('unlock.nothing')}</p>;
  return (
    <div className="space-y-4">
      <LockList title={t('unlock.removed')} locks={outcome.removed} />
      <LockList title={t('unlock.left')} locks={outcome.left} />
      {outcome.left.length > 0 && <p>{t('unlock.leftText')}</p>}
    </div>
  );
}

/** Takes away what is certainly stale and says why; what may be alive only after its name was typed. */
export function UnlockDialog({ repository, onClose }: WorkDialogProps) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const unlock = useChange('repositoryActions.unlock', ['repository', 'repositories']);
  const hasLeft = outcome !== null && outcome.left.length > 0;
  const isDone = outcome !== null && !hasLeft;
  const remove = () =>
    unlock.mutate({ params: { id: repository.id }, body: { all: hasLeft } }, { onSuccess: setOutcome });
  return (
    <ConfirmDialog
      open
      kind={hasLeft ? 'danger' : 'primary'}
      onClose={onClose}
      title={t('unlock.title', { name: repository.name })}
      confirm={isDone ? t('action.done') : hasLeft ? t('unlock.all') : t('unlock.stale')}
      busy={unlock.isPending}
      error={unlock.error}
      typeToConfirm={hasLeft ? repository.name : undefined}
      onConfirm={isDone ? onClose : remove}
    >
      <div role="status">{outcome ? <OutcomeView outcome={outcome} /> : <p>{t('unlock.text')}</p>}</div>
    </ConfirmDialog>
  );
}
