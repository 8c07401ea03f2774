import { Link } from '@tanstack/react-router';
import { useRecords, useTask } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { RecordRow } from '../../api/types.ts';
import { LoadMore } from '../../components/LoadMore.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { useRunTask } from '../../components/task-actions.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { formatBytes, formatLongDay, formatNumber, formatTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { rowLink } from '../../ui/DataTable.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** Records of one calendar day of the browser's zone, in the order they came. */
function groupByDay(records: readonly RecordRow[]): readonly (readonly [string, readonly RecordRow[]])[] {
  const days = new Map<string, RecordRow[]>();
  for (const record of records) {
    const day = formatLongDay(record.startedAt);
    const found = days.get(day);
    if (found) found.push(record);
    else days.set(day, [record]);
  }
  return [...days];
}

function Version({ record }: { record: RecordRow }) {
  return (
    <li className="relative flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3 hover:bg-raised/50">
      <Link to={paths.restoreFrom(record.taskId, record.id)} className={`${rowLink} text-base tabular-nums`}>
        {formatTime(record.startedAt)}
      </Link>
      <RecordStatusBadge status={record.status} />
      {record.trigger === 'safety' && <span className="text-[13px] text-ink-2">{t('trigger.safety')}</span>}
      {record.encrypted && (
        <span className="inline-flex items-center gap-1 text-[13px] text-ink-3">
          <Icon name="lock" size={13} />
          {t('record.encrypted')}
        </span>
      )}
      <span className="ml-auto text-[13px] text-ink-2 tabular-nums">
        {t('restore.versionSize', { items: formatNumber(record.itemCount), size: formatBytes(record.sourceBytes) })}
      </span>
      <Icon name="chevron-right" size={14} className="text-ink-3" />
    </li>
  );
}

/** Second question: from which moment. */
export default function RestoreTaskPage() {
  const taskId = useIdParam('taskId');
  const user = useUser();
  const task = useTask(taskId);
  const query = useRecords({ taskId: taskId ?? 0, restorable: true });
  const run = useRunTask();
  return (
    <div className="mx-auto max-w-3xl">
      <PageHeader
        title={task.data ? t('restore.of', { name: task.data.name }) : t('nav.restore')}
        note={t('restore.chooseVersion')}
        back={{ to: paths.restore, label: t('nav.restore') }}
      />
      <QueryView query={query}>
        {({ pages }) => {
          const records = pages.flatMap((page) => page.items);
          if (records.length === 0) {
            return (
              <Card flush>
                <EmptyState
                  icon="history"
                  title={t('restore.noVersions')}
                  text={t('restore.noVersionsText')}
                  action={
                    user.can('operator') &&
                    taskId !== null && (
                      <Button kind="primary" icon="play" busy={run.isPending} onClick={() => run.start(taskId)}>
                        {t('task.runNow')}
                      </Button>
                    )
                  }
                />
              </Card>
            );
          }
          return (
            <div className="space-y-5">
              {groupByDay(records).map(([day, versions]) => (
                <Card key={day} title={day} flush>
                  <ul className="divide-y divide-line">
                    {versions.map((record) => (
                      <Version key={record.id} record={record} />
                    ))}
                  </ul>
                </Card>
              ))}
              <LoadMore query={query} />
            </div>
          );
        }}
      </QueryView>
    </div>
  );
}
