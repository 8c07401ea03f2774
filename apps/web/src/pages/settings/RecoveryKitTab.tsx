import { useRecoveryKitStatus } from '../../api/queries.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecoveryKitButton } from '../../components/RecoveryKitButton.tsx';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout, Card } from '../../ui/Card.tsx';

export function RecoveryKitTab() {
  const status = useRecoveryKitStatus();
  return (
    <div className="max-w-2xl">
      <Card title={t('kit.title')}>
        <div className="space-y-4">
          <p className="text-ink-2">{t('kit.text')}</p>
          <QueryView query={status} rows={1}>
            {({ needed, downloadedAt }) => {
              if (downloadedAt)
                return (
                  <Callout
                    tone="ok"
                    icon="check-circle"
                    title={t('kit.downloaded', { time: formatDateTime(downloadedAt) })}
                  />
                );
              if (needed) return <Callout tone="warn" icon="key" title={t('kit.remindTitle')} />;
              return <Callout tone="info" icon="info" title={t('kit.notNeeded')} />;
            }}
          </QueryView>
          <RecoveryKitButton />
        </div>
      </Card>
    </div>
  );
}
