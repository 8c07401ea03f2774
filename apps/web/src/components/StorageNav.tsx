import { Link } from '@tanstack/react-router';
import { t } from '../i18n/i18n.ts';
import { paths } from './paths.ts';

/** The two pages of storage: places that hold backups, and the repositories in them. */
export function StorageNav() {
  const look =
    'flex h-10 shrink-0 items-center border-b-2 border-transparent px-3 font-medium text-ink-2 -outline-offset-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink';
  return (
    <nav aria-label={t('nav.storage')} className="mb-5 flex gap-1 overflow-x-auto border-b border-line">
      <Link to={paths.storage} activeOptions={{ exact: true }} className={look}>
        {t('storage.places')}
      </Link>
      <Link to={paths.repositories} className={look}>
        {t('repository.repositories')}
      </Link>
    </nav>
  );
}
