import { useState } from 'react';
import { useRecord } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import { type Basket, ContentsBrowser } from '../../components/ContentsBrowser.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { RestoreForm } from '../../forms/RestoreForm.tsx';
import { formatDateTime } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';

/** Third and fourth question: what, and where to. */
export default function RestoreFromPage() {
  const recordId = useIdParam('recordId');
  const user = useUser();
  const query = useRecord(recordId);
  const [basket, setBasket] = useState<Basket>(new Map());
  return (
    <QueryView query={query}>
      {(record) => (
        <>
          <PageHeader
            title={t('restore.of', { name: record.taskName })}
            note={t('restore.asOf', { time: formatDateTime(record.startedAt) })}
            back={{ to: paths.restoreTask(record.taskId), label: t('restore.otherVersion') }}
          />
          <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_24rem]">
            <ContentsBrowser recordId={record.id} basket={basket} onChange={setBasket} />
            {user.can('operator') && <RestoreForm record={record} basket={basket} onChange={setBasket} />}
          </div>
        </>
      )}
    </QueryView>
  );
}
