import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../api/client.ts';
import type { DriverManifest } from '../api/types.ts';
import { ConfirmDialog } from '../components/ConfirmDialog.tsx';
import { t } from '../i18n/i18n.ts';
import { CheckField } from '../ui/Field.tsx';
import { sessionsIn, TargetPreview } from './TargetPreview.tsx';
import type { RestoreSource, RestoreWishes, useStartRestore } from './use-start-restore.ts';

/** What may be lost: the words for it, and what must be typed. */
export interface Danger {
  readonly type: string;
  readonly words: string;
}

interface Props {
  readonly driver: DriverManifest;
  readonly source: RestoreSource;
  readonly danger: Danger | null;
  readonly wishes: RestoreWishes;
  readonly restore: ReturnType<typeof useStartRestore>;
  /** How many things were chosen; 0: everything. */
  readonly chosen: number;
  readonly whereTo: string;
  readonly onClose: () => void;
  /** Null: a restore of this kind ends nobody's session. */
  readonly onEndSessions: ((endSessions: boolean) => void) | null;
  /** For the kinds that ask about versions. */
  readonly onAcceptVersion: (acceptsVersion: boolean) => void;
}

/** What is there now, asked anew each time: what is lost, or what stands in the way. */
function useTargetPreview({ driver, source: { recordId }, wishes }: Props) {
  return useQuery({
    queryKey: ['restorePreview', recordId],
    queryFn: ({ signal }) => call('records.previewRestore', { params: { id: recordId ?? 0 }, body: wishes, signal }),
    enabled: wishes.targetPath === '' && driver.canInspectTarget === true && recordId !== null,
    ...{ gcTime: 0, retry: false, refetchOnWindowFocus: false },
  });
}

/** What will happen, before it does; what is lost is named. Mounted while it is open. */
export function DatabaseRestoreReview(props: Props) {
  const { driver, danger, wishes, restore, chosen, whereTo, onClose, onEndSessions, onAcceptVersion } = props;
  const preview = useTargetPreview(props);
  // Some kinds have nothing to replace by themselves; it is worth knowing who is there all the same.
  const mayReplace = driver.restoreFields?.some(({ name }) => name === 'replaceExisting') ?? false;
  const isKept = danger === null && mayReplace;
  const [safetyBackup, setSafetyBackup] = useState(true);
  // Also when nobody could say what is there: somebody may want to go on all the same.
  const mayBeSaved =
    driver.canSaveTarget === true &&
    (preview.isError || (preview.data?.databases.some((one) => one.exists && one.canBeSaved !== false) ?? false));
  const endSessions = wishes.options?.endSessions === true;
  const acceptsVersion = wishes.options?.acceptOtherVersion === true;
  const isOtherVersion = preview.data?.otherVersion !== undefined;
  const mayBegin = isKept || endSessions || sessionsIn(preview.data) === 0;
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('restore.reviewTitle')}
      confirm={t('restore.start')}
      kind={danger ? 'danger' : 'primary'}
      wide={danger !== null}
      busy={restore.isPending}
      error={restore.error}
      typeToConfirm={danger?.type}
      isReady={!preview.isFetching && mayBegin && (acceptsVersion || !isOtherVersion)}
      onConfirm={() => restore.start({ ...wishes, safetyBackup })}
    >
      <ul className="list-disc space-y-1.5 pl-5 [overflow-wrap:anywhere]">
        <li>{chosen > 0 ? t('restore.basketCount', { count: chosen }) : t('restore.everything')}</li>
        <li>{whereTo}</li>
        <li>{danger?.words || t('sourceRestore.keepsExisting')}</li>
        <li>{t('restore.verified')}</li>
      </ul>
      <div className="mt-4 space-y-3 empty:hidden">
        <TargetPreview
          found={preview.data}
          error={preview.error}
          isPending={preview.isFetching}
          isKept={isKept}
          onAsk={() => void preview.refetch()}
          endSessions={endSessions}
          onEndSessions={onEndSessions}
          acceptsVersion={acceptsVersion}
          onAcceptVersion={onAcceptVersion}
        />
        {danger && mayBeSaved && !preview.isFetching && (
          <CheckField
            label={t('sourceRestore.safety')}
            help={t('sourceRestore.safetyHelp')}
            checked={safetyBackup}
            onChange={setSafetyBackup}
          />
        )}
      </div>
    </ConfirmDialog>
  );
}
