import type { Repository } from '../../api/types.ts';
import { RepositoryKitButtons } from '../../components/RepositoryKit.tsx';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout, Card } from '../../ui/Card.tsx';
import { GatewayCard } from './GatewayCard.tsx';
import { KeysCard } from './KeysCard.tsx';

function KitCard({ repository }: { repository: Repository }) {
  const { recoveryKitDownloadedAt: savedAt } = repository;
  return (
    <Card title={t('kit.title')}>
      <div className="space-y-4">
        <p className="text-ink-2">{t('kit.repositoryText')}</p>
        {savedAt && (
          <Callout tone="ok" icon="check-circle" title={t('kit.downloaded', { time: formatDateTime(savedAt) })} />
        )}
        <div className="flex flex-wrap gap-2">
          <RepositoryKitButtons repositoryId={repository.id} />
        </div>
      </div>
    </Card>
  );
}

/** Who can open the repository: the kit, the keys, the token of stock programs. For administrators. */
export function AccessTab({ repository }: { repository: Repository }) {
  return (
    <div className="grid items-start gap-5 xl:grid-cols-2">
      <KitCard repository={repository} />
      {repository.gatewayPath !== '' && <GatewayCard repository={repository} />}
      {repository.state !== 'new' && (
        <div className="xl:col-span-2">
          <KeysCard repository={repository} />
        </div>
      )}
    </div>
  );
}
