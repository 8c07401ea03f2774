import { useState } from 'react';
import { request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { saveFile } from './save-file.ts';
import { toastError } from './task-actions.tsx';

/** Downloads the recovery kit of this installation, or that of a repository, as a text file. */
export function RecoveryKitButton({ repositoryId, small }: { repositoryId?: number; small?: boolean }) {
  const [busy, setBusy] = useState(false);
  const isOwn = repositoryId === undefined;
  const download = async () => {
    setBusy(true);
    try {
      const address = isOwn ? '/api/recovery-kit' : `/api/repositories/${repositoryId}/recovery-kit`;
      const response = await request(address);
      const name = isOwn ? 'backupx-recovery-kit.txt' : `backupx-repository-${repositoryId}-recovery-kit.txt`;
      saveFile(await response.blob(), name);
      const stale = isOwn ? [['recovery-kit']] : [['repository', repositoryId], ['repositories']];
      for (const queryKey of stale) void queryClient.invalidateQueries({ queryKey });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button icon="download" small={small} busy={busy} onClick={download}>
      {t('kit.download')}
    </Button>
  );
}
