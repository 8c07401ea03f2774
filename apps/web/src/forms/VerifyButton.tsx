import { useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { type VerifiedRecord, VerifyDialog } from './VerifyDialog.tsx';

/** Starts a verification of a record and goes to its page. */
export function VerifyButton({ record, small }: { record: VerifiedRecord; small?: boolean }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button icon="shield" small={small} onClick={() => setOpen(true)}>
        {t('verify.action')}
      </Button>
      {isOpen && <VerifyDialog record={record} onClose={() => setOpen(false)} />}
    </>
  );
}
