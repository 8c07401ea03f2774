import { Link } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import { useTasks } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Task } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { SearchInput } from '../../components/SearchInput.tsx';
import { sourceWords } from '../../components/source-words.ts';
import { Time } from '../../components/Time.tsx';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { rowLink } from '../../ui/DataTable.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** Tasks without a backup cannot help now: they come last. */
const restorableFirst = (tasks: readonly Task[]) => [
  ...tasks.filter((task) => task.lastSuccessAt !== null),
  ...tasks.filter((task) => task.lastSuccessAt === null),
];

/** First question of a restore: of which task. */
export default function RestorePage() {
  const user = useUser();
  const [search, setSearch] = useState('');
  const query = useTasks(useDeferredValue(search.trim()));
  return (
    <div className="mx-auto max-w-3xl">
      <PageHeader title={t('nav.restore')} note={t('restore.chooseTask')} />
      <Card flush>
        <div className="border-b border-line p-3">
          <SearchInput label={t('tasks.search')} value={search} onChange={setSearch} />
        </div>
        <QueryView query={query}>
          {({ items }) => {
            if (items.length === 0 && search) return <EmptyState icon="search" title={t('tasks.noMatch')} />;
            if (items.length === 0) {
              return (
                <EmptyState
                  icon="restore"
                  title={t('restore.empty')}
                  text={t('restore.emptyText')}
                  action={
                    user.can('operator') && (
                      <Link to={paths.overview} className={buttonClass('primary')}>
                        {t('first.title')}
                      </Link>
                    )
                  }
                />
              );
            }
            return (
              <ul className="divide-y divide-line">
                {restorableFirst(items).map((task) => (
                  <li key={task.id} className="relative flex items-center gap-3 px-4 py-3 hover:bg-raised/50">
                    <Icon name="folder" size={18} className="text-ink-3" />
                    <div className="min-w-0 flex-1">
                      <Link to={paths.restoreTask(task.id)} className={rowLink}>
                        {task.name}
                      </Link>
                      <p className="truncate text-[13px] text-ink-3">
                        {task.nodeName} · <span className="font-mono text-xs">{sourceWords(task)}</span>
                      </p>
                    </div>
                    <span className="text-right text-[13px] text-ink-2">
                      <Time at={task.lastSuccessAt} empty={t('restore.noBackup')} />
                    </span>
                    <Icon name="chevron-right" size={14} className="text-ink-3" />
                  </li>
                ))}
              </ul>
            );
          }}
        </QueryView>
      </Card>
    </div>
  );
}
