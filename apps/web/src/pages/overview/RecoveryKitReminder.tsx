import { useRecoveryKitStatus } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import { RecoveryKitButton } from '../../components/RecoveryKitButton.tsx';
import { t } from '../../i18n/i18n.ts';
import { Callout } from '../../ui/Card.tsx';

/** Stays until the kit was downloaded once after the first encrypted backup. */
export function RecoveryKitReminder() {
  const user = useUser();
  const status = useRecoveryKitStatus();
  if (!status.data?.needed || status.data.downloadedAt !== null || !user.can('admin')) return null;
  return (
    <Callout tone="warn" icon="key" title={t('kit.remindTitle')} actions={<RecoveryKitButton />}>
      {t('kit.remindText')}
    </Callout>
  );
}
