import { useState } from 'react';
import { useUser } from '../../api/session.ts';
import type { Repository } from '../../api/types.ts';
import { MaintenanceTable } from '../../components/MaintenanceTable.tsx';
import { Time } from '../../components/Time.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, Facts } from '../../ui/Card.tsx';
import { CopyDialog } from './CopyDialog.tsx';
import { UnlockDialog } from './UnlockDialog.tsx';
import { CheckDialog, PruneDialog, RepairDialog } from './WorkDialogs.tsx';

type Work = 'check' | 'prune' | 'repair' | 'copy' | 'unlock';
const dialogs = {
  check: CheckDialog,
  prune: PruneDialog,
  repair: RepairDialog,
  copy: CopyDialog,
  unlock: UnlockDialog,
} as const;

function planWords(days: number): string {
  return days === 0 ? t('repository.byHand') : t('repository.everyDays', { count: days });
}

function Plan({ repository }: { repository: Repository }) {
  const { checkEveryDays, pruneEveryDays, nextCheckAt, nextPruneAt } = repository;
  const { condemnedPacks, activeLeases } = repository;
  const next = (days: number, at: string | null) => (
    <span>
      {planWords(days)}
      {days > 0 && at && (
        <span className="text-ink-3">
          {' · '}
          {t('repository.next')} <Time at={at} />
        </span>
      )}
    </span>
  );
  return (
    <Facts
      items={[
        [t('repository.checks'), next(checkEveryDays, nextCheckAt)],
        [t('repository.prunes'), next(pruneEveryDays, nextPruneAt)],
        condemnedPacks > 0
          ? [t('repository.condemned'), t('repository.condemnedText', { count: condemnedPacks })]
          : null,
        [t('repository.inUse'), activeLeases > 0 ? t('repository.leases', { count: activeLeases }) : t('word.no')],
      ]}
    />
  );
}

/** How the repository is kept healthy: what is due, what can be started, what was done. */
export function MaintenanceTab({ repository }: { repository: Repository }) {
  const user = useUser();
  const [work, setWork] = useState<Work | null>(null);
  const Dialog = work && dialogs[work];
  const isBusy = repository.runningMaintenanceId !== null;
  const canWork = user.can('operator') && repository.state !== 'new';
  const why = isBusy ? t('repository.busy') : undefined;
  const button = (name: Work, more: Parameters<typeof Button>[0]) => (
    <Button {...more} disabled={isBusy && name !== 'unlock'} title={why} onClick={() => setWork(name)}>
      {t(`work.${name}`)}
    </Button>
  );
  return (
    <div className="space-y-5">
      <Card>
        <Plan repository={repository} />
        {canWork && (
          <div className="mt-5 flex flex-wrap gap-2 border-t border-line pt-4">
            {button('check', { icon: 'shield', kind: 'primary' })}
            {button('prune', { icon: 'trash' })}
            {button('copy', { icon: 'copy' })}
            {button('unlock', { icon: 'unlock' })}
            {user.can('admin') && button('repair', { icon: 'settings' })}
          </div>
        )}
      </Card>
      <MaintenanceTable filter={{ repositoryId: repository.id }} title={t('maintenance.runs')} />
      {Dialog && <Dialog repository={repository} onClose={() => setWork(null)} />}
    </div>
  );
}
