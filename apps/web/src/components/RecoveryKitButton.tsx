import { useState } from 'react';
import { request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { toastError } from './task-actions.tsx';

/** Downloads the recovery kit as a text file. */
export function RecoveryKitButton() {
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    try {
      const response = await request('/api/recovery-kit');
      const url = URL.createObjectURL(await response.blob());
      const link = document.createElement('a');
      link.href = url;
      link.download = 'backupx-recovery-kit.txt';
      link.click();
      URL.revokeObjectURL(url);
      void queryClient.invalidateQueries({ queryKey: ['recovery-kit'] });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button icon="download" busy={busy} onClick={download}>
      {t('kit.download')}
    </Button>
  );
}
