import { useBlocker } from '@tanstack/react-router';
import { useRef } from 'react';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';

/** Asks before changes are lost, by a link or by closing the tab. */
export function UnsavedChanges({ when }: { when: () => boolean }) {
  const stay = useRef<HTMLButtonElement>(null);
  const blocker = useBlocker({ shouldBlockFn: when, enableBeforeUnload: when, withResolver: true });
  if (blocker.status !== 'blocked') return null;
  return (
    <Dialog
      open
      onClose={blocker.reset}
      title={t('unsaved.title')}
      description={t('unsaved.text')}
      closeLabel={t('action.close')}
      initialFocus={stay}
      footer={
        <>
          <Button ref={stay} onClick={blocker.reset}>
            {t('unsaved.stay')}
          </Button>
          <Button kind="danger" onClick={blocker.proceed}>
            {t('unsaved.leave')}
          </Button>
        </>
      }
    />
  );
}
