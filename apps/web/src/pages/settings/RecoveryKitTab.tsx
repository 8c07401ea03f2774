import { Link } from '@tanstack/react-router';
import { useRecoveryKitStatus } from '../../api/queries.ts';
import { useRepositories } from '../../api/repository-queries.ts';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecoveryKitButton } from '../../components/RecoveryKitButton.tsx';
import { kitStateOf, RepositoryKitButtons } from '../../components/RepositoryKit.tsx';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout, Card } from '../../ui/Card.tsx';

/** A repository has a key and a kit of its own. */
function RepositoryKits({ wholeSavedAt }: { wholeSavedAt: string | null }) {
  const repositories = useRepositories();
  return (
    <Card title={t('repository.repositories')} note={t('kit.repositoriesNote')} flush>
      <QueryView query={repositories} rows={2}>
        {(items) =>
          items.length === 0 ? (
            <p className="px-4 py-6 text-ink-2">{t('repository.empty')}</p>
          ) : (
            <ul className="divide-y divide-line">
              {items.map((repository) => (
                <li key={repository.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
                  <div className="min-w-0 flex-1 basis-48">
                    <Link to={paths.repository(repository.id)} className="font-medium hover:underline">
                      {repository.name}
                    </Link>
                    <p className="text-[13px] text-ink-3">
                      {repository.recoveryKitDownloadedAt
                        ? t('kit.downloaded', { time: formatDateTime(repository.recoveryKitDownloadedAt) })
                        : t(kitStateOf(repository, wholeSavedAt) === 'whole' ? 'kit.inWhole' : 'kit.notSaved')}
                    </p>
                  </div>
                  <div className="flex flex-wrap gap-2">
                    <RepositoryKitButtons repositoryId={repository.id} small />
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Card>
  );
}

export function RecoveryKitTab() {
  const status = useRecoveryKitStatus();
  return (
    <div className="max-w-2xl space-y-5">
      <Card title={t('kit.whole')}>
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
      <RepositoryKits wholeSavedAt={status.data?.downloadedAt ?? null} />
    </div>
  );
}
