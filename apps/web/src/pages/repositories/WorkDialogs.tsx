/** Check, clean up, repair: each says what it does, and asks for the name where something is lost. */
import { useState } from 'react';
import { useChange } from '../../api/queries.ts';
import type { Repository } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { t } from '../../i18n/i18n.ts';
import { CheckField, ChoiceCards, SelectField } from '../../ui/Field.tsx';
import { useOpenWork, WORK_STALE } from './use-open-work.ts';

export interface WorkDialogProps {
  readonly repository: Repository;
  readonly onClose: () => void;
}

/** Parts of the data that one check may read. */
const PARTS = 4;

export function CheckDialog({ repository, onClose }: WorkDialogProps) {
  const [depth, setDepth] = useState<'structure' | 'part' | 'all'>('structure');
  const [part, setPart] = useState(1);
  const check = useChange('repositoryActions.check', WORK_STALE);
  const open = useOpenWork();
  const read = depth === 'part' ? { n: part, of: PARTS } : depth;
  return (
    <ConfirmDialog
      open
      kind="primary"
      onClose={onClose}
      title={t('work.checkTitle', { name: repository.name })}
      confirm={t('work.checkStart')}
      busy={check.isPending}
      error={check.error}
      onConfirm={() => check.mutate({ params: { id: repository.id }, body: { read } }, open)}
    >
      <div className="space-y-4">
        <ChoiceCards
          legend={t('work.depth')}
          value={depth}
          onChange={(value) => setDepth(value as typeof depth)}
          choices={(['structure', 'part', 'all'] as const).map((id) => ({
            value: id,
            label: t(`checkDepth.${id}`),
            help: t(`checkDepthHelp.${id}`),
          }))}
        />
        {depth === 'part' && (
          <SelectField
            label={t('work.part')}
            value={String(part)}
            onChange={(value) => setPart(Number(value))}
            options={Array.from({ length: PARTS }, (_, index) => ({
              value: String(index + 1),
              label: t('work.partOf', { n: index + 1, of: PARTS }),
            }))}
          />
        )}
      </div>
    </ConfirmDialog>
  );
}

const UNUSED = [0, 5, 10, 25] as const;

export function PruneDialog({ repository, onClose }: WorkDialogProps) {
  const [unused, setUnused] = useState(5);
  const [dryRun, setDryRun] = useState(false);
  const prune = useChange('repositoryActions.prune', WORK_STALE);
  const open = useOpenWork();
  return (
    <ConfirmDialog
      open
      kind="primary"
      onClose={onClose}
      title={t('work.pruneTitle', { name: repository.name })}
      confirm={dryRun ? t('work.dryRunStart') : t('work.pruneStart')}
      busy={prune.isPending}
      error={prune.error}
      onConfirm={() =>
        prune.mutate({ params: { id: repository.id }, body: { maxUnusedShare: unused / 100, dryRun } }, open)
      }
    >
      <div className="space-y-4">
        <p>{t('work.pruneText')}</p>
        <SelectField
          label={t('work.unused')}
          help={t('work.unusedHelp')}
          value={String(unused)}
          onChange={(value) => setUnused(Number(value))}
          options={UNUSED.map((share) => ({ value: String(share), label: t('work.unusedShare', { share }) }))}
        />
        <CheckField label={t('work.dryRun')} checked={dryRun} onChange={setDryRun} />
      </div>
    </ConfirmDialog>
  );
}

export function RepairDialog({ repository, onClose }: WorkDialogProps) {
  const [what, setWhat] = useState<'index' | 'snapshots'>('index');
  const [forget, setForget] = useState(false);
  const [dryRun, setDryRun] = useState(true);
  const repair = useChange('repositoryActions.repair', WORK_STALE);
  const open = useOpenWork();
  const deletes = what === 'snapshots' && forget;
  const isRisky = deletes && !dryRun;
  return (
    <ConfirmDialog
      open
      kind={isRisky ? 'danger' : 'primary'}
      onClose={onClose}
      title={t('work.repairTitle', { name: repository.name })}
      confirm={dryRun ? t('work.dryRunStart') : t('work.repairStart')}
      busy={repair.isPending}
      error={repair.error}
      typeToConfirm={isRisky ? repository.name : undefined}
      onConfirm={() => repair.mutate({ params: { id: repository.id }, body: { what, forget: deletes, dryRun } }, open)}
    >
      <div className="space-y-4">
        <ChoiceCards
          legend={t('work.repairWhat')}
          value={what}
          onChange={(value) => setWhat(value as typeof what)}
          choices={(['index', 'snapshots'] as const).map((id) => ({
            value: id,
            label: t(`repair.${id}`),
            help: t(`repairHelp.${id}`),
          }))}
        />
        {what === 'snapshots' && (
          <CheckField
            label={t('work.repairForget')}
            help={t('work.repairForgetHelp')}
            checked={forget}
            onChange={setForget}
          />
        )}
        <CheckField label={t('work.dryRun')} checked={dryRun} onChange={setDryRun} />
      </div>
    </ConfirmDialog>
  );
}
