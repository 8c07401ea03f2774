import { useRecoveryKitStatus } from '../api/queries.ts';
import { useUser } from '../api/session.ts';
import { t } from '../i18n/i18n.ts';
import { Callout } from '../ui/Card.tsx';
import { RecoveryKitButton } from './RecoveryKitButton.tsx';

/** Stays until the kit was downloaded once after the first encrypted backup; who may not download it is told who may. */
export function RecoveryKitReminder() {
  const isAdmin = useUser().can('admin');
  const status = useRecoveryKitStatus();
  if (!status.data?.needed || status.data.downloadedAt !== null) return null;
  return (
    <Callout tone="warn" icon="key" title={t('kit.remindTitle')} actions={isAdmin ? <RecoveryKitButton /> : undefined}>
      {t('kit.remindText')} {!isAdmin && t('kit.remindAsk')}
    </Callout>
  );
}
