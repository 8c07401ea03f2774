/** The recovery kit of a repository: offered until it was saved once, downloadable and printable again by administrators. */
import { Link } from '@tanstack/react-router';
import { useRepositories, useRepository } from '../api/repository-queries.ts';
import { useUser } from '../api/session.ts';
import type { Repository } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { buttonClass } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';
import { paths } from './paths.ts';
import { RecoveryKitButton } from './RecoveryKitButton.tsx';

/** Download as text, or a page for the printer in a tab of its own. */
export function RepositoryKitButtons({ repositoryId, small }: { repositoryId: number; small?: boolean }) {
  return (
    <>
      <RecoveryKitButton repositoryId={repositoryId} small={small} />
      <a
        href={`/api/repositories/${repositoryId}/recovery-kit?format=html`}
        target="_blank"
        rel="noreferrer"
        className={buttonClass('secondary', small)}
      >
        {t('kit.print')}
      </a>
    </>
  );
}

/** Who has taken a repository in has its password already; one that is still to be made has nothing to lose. */
const lacksKit = ({ recoveryKitDownloadedAt, isAdopted, state }: Repository) =>
  recoveryKitDownloadedAt === null && !isAdopted && state !== 'new';

function Reminder({ repository }: { repository: Repository }) {
  const isAdmin = useUser().can('admin');
  return (
    <Callout
      tone="warn"
      icon="key"
      title={t('kit.remindTitle')}
      actions={isAdmin ? <RepositoryKitButtons repositoryId={repository.id} /> : undefined}
    >
      {t('kit.repositoryRemindText', { name: repository.name })} {!isAdmin && t('kit.remindAsk')}
    </Callout>
  );
}

/** Stays until the kit was saved. */
export function RepositoryKitReminder({ repositoryId }: { repositoryId: number }) {
  const { data } = useRepository(repositoryId);
  return data && lacksKit(data) ? <Reminder repository={data} /> : null;
}

/** The same for all repositories at once: one with its buttons, several with the way to their list. */
export function RepositoryKitReminders() {
  const isAdmin = useUser().can('admin');
  const lacking = useRepositories().data?.filter(lacksKit) ?? [];
  const [first] = lacking;
  if (!first) return null;
  if (lacking.length === 1) return <Reminder repository={first} />;
  return (
    <Callout
      tone="warn"
      icon="key"
      title={t('kit.remindTitle')}
      actions={
        isAdmin ? (
          <Link to={paths.settingsTab('recovery-kit')} className={buttonClass('secondary', true)}>
            {t('kit.showAll')}
          </Link>
        ) : undefined
      }
    >
      {t('kit.repositoriesRemindText', { count: lacking.length })} {!isAdmin && t('kit.remindAsk')}
    </Callout>
  );
}
