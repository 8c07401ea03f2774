/** The recovery kit of a repository: offered until it was saved once, downloadable and printable again by administrators. */
import { Link } from '@tanstack/react-router';
import { useRecoveryKitStatus } from '../api/queries.ts';
import { useRepositories, useRepository } from '../api/repository-queries.ts';
import { useUser } from '../api/session.ts';
import type { Repository } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';
import { buttonClass } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';
import { paths } from './paths.ts';
import { RecoveryKitButton } from './RecoveryKitButton.tsx';
import { RecoveryKitReminder } from './RecoveryKitReminder.tsx';

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

/** How a repository can be opened when this server is lost: by its own kit, by that of the installation, or not yet. */
export function kitStateOf(
  { recoveryKitDownloadedAt, createdAt }: Pick<Repository, 'recoveryKitDownloadedAt' | 'createdAt'>,
  wholeSavedAt: string | null,
): 'own' | 'whole' | 'none' {
  if (recoveryKitDownloadedAt !== null) return 'own';
  return wholeSavedAt !== null && Date.parse(wholeSavedAt) > Date.parse(createdAt) ? 'whole' : 'none';
}

/** Who has taken a repository in has its password already; one that is still to be made has nothing to lose. */
function useLacksKit(): (repository: Repository) => boolean {
  const status = useRecoveryKitStatus();
  const savedAt = status.data?.downloadedAt ?? null;
  return (repository) =>
    status.data !== undefined &&
    !repository.isAdopted &&
    repository.state !== 'new' &&
    kitStateOf(repository, savedAt) === 'none';
}

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
  const lacksKit = useLacksKit();
  return data && lacksKit(data) ? <Reminder repository={data} /> : null;
}

/**
 * The same for the overview: the kit of the installation first, which opens everything that is there; later whatever
 * was made after it was saved, one repository with its buttons, several with the way to their list.
 */
export function RecoveryKitReminders({ hasRepositories }: { hasRepositories: boolean }) {
  const status = useRecoveryKitStatus();
  if (status.data?.needed && status.data.downloadedAt === null) return <RecoveryKitReminder />;
  return hasRepositories ? <RepositoryKitReminders /> : null;
}

function RepositoryKitReminders() {
  const isAdmin = useUser().can('admin');
  const lacksKit = useLacksKit();
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
