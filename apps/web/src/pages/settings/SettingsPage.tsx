import { useNavigate, useParams } from '@tanstack/react-router';
import { useUser } from '../../api/session.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { t } from '../../i18n/i18n.ts';
import { type TabItem, Tabs } from '../../ui/Tabs.tsx';
import { ApiKeysTab } from './ApiKeysTab.tsx';
import { AuditTab } from './AuditTab.tsx';
import { GeneralTab } from './GeneralTab.tsx';
import { ProfileTab } from './ProfileTab.tsx';
import { RecoveryKitTab } from './RecoveryKitTab.tsx';
import { UsersTab } from './UsersTab.tsx';

/** Everything an administrator sets at run time, and one's own account. */
export default function SettingsPage() {
  const user = useUser();
  const navigate = useNavigate();
  const { tab } = useParams({ strict: false }) as { tab?: string };
  const admin: readonly TabItem[] = [
    { id: 'general', label: t('settings.general'), content: <GeneralTab /> },
    { id: 'users', label: t('settings.users'), content: <UsersTab /> },
    { id: 'api-keys', label: t('settings.apiKeys'), content: <ApiKeysTab /> },
    { id: 'audit', label: t('settings.audit'), content: <AuditTab /> },
    { id: 'recovery-kit', label: t('kit.title'), content: <RecoveryKitTab /> },
  ];
  const items: readonly TabItem[] = [
    { id: 'profile', label: t('settings.profile'), content: <ProfileTab /> },
    ...(user.can('admin') ? admin : []),
  ];
  const current = items.some((item) => item.id === tab) ? (tab ?? 'profile') : 'profile';
  return (
    <>
      <PageHeader title={t('nav.settings')} />
      <Tabs
        label={t('nav.settings')}
        value={current}
        onChange={(id) => void navigate({ to: paths.settingsTab(id) })}
        items={items}
      />
    </>
  );
}
