import { useRepository } from '../../api/repository-queries.ts';
import type { AnswerOf } from '../../api/route-table.ts';
import { CopyBox } from '../../components/CopyBox.tsx';
import { RepositoryKitButtons } from '../../components/RepositoryKit.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Callout, Card } from '../../ui/Card.tsx';

export type Created = AnswerOf<'repositories.create'>;

/** The recovery kit of a repository that was just made, to be saved now. */
export function NewRepositoryKit({ created, onDone }: { created: Created; onDone: () => void }) {
  const { repository, recoveryKit } = created;
  const isSaved = useRepository(repository.id).data?.recoveryKitDownloadedAt != null;
  return (
    <div className="space-y-5">
      <Callout tone="ok" icon="check-circle" title={t('repository.made', { name: repository.name })} />
      {recoveryKit === null ? (
        <Callout tone="warn" icon="key" title={t('kit.remindTitle')}>
          {t('kit.remindAsk')}
        </Callout>
      ) : (
        <Card title={t('kit.title')}>
          <div className="space-y-4">
            <p className="text-ink-2">{t('kit.repositoryText')}</p>
            <CopyBox label={repository.name} text={recoveryKit} />
            <div className="flex flex-wrap gap-2">
              <RepositoryKitButtons repositoryId={repository.id} />
            </div>
          </div>
        </Card>
      )}
      <Button kind={isSaved || recoveryKit === null ? 'primary' : 'secondary'} onClick={onDone}>
        {isSaved || recoveryKit === null ? t('repository.open') : t('kit.later')}
      </Button>
    </div>
  );
}
