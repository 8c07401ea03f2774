import { Link } from '@tanstack/react-router';
import { useRecord } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { RecordOutcome } from '../../components/RecordOutcome.tsx';
import { RecoveryKitButton } from '../../components/RecoveryKitButton.tsx';
import { RunProgress } from '../../components/RunProgress.tsx';
import { RecordStatusBadge } from '../../components/Status.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button, buttonClass } from '../../ui/Button.tsx';
import { Card } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';

/** The first run, live, in the place of the form; then what to do next. */
export function FirstRun({ recordId, onDone }: { recordId: number; onDone: () => void }) {
  const user = useUser();
  const query = useRecord(recordId);
  return (
    <>
      <PageHeader title={t('first.running')} actions={<Button onClick={onDone}>{t('first.toOverview')}</Button>} />
      <QueryView query={query}>
        {(record) => (
          <div className="space-y-5">
            <Card title={record.taskName} actions={<RecordStatusBadge status={record.status} />}>
              {record.status === 'running' ? (
                <RunProgress kind="record" id={record.id} known={record.progress} />
              ) : (
                <RecordOutcome record={record} />
              )}
              <Link
                to={paths.record(record.id)}
                className="mt-4 inline-flex items-center gap-1 text-accent-ink hover:underline"
              >
                {t('first.openRecord')}
                <Icon name="chevron-right" size={14} />
              </Link>
            </Card>
            {record.status !== 'running' && (
              <div className="grid gap-5 sm:grid-cols-3">
                <Card title={t('first.offSite')}>
                  <p className="mb-4 text-ink-2">{t('first.offSiteText')}</p>
                  <Link to={paths.newStorage} className={buttonClass()}>
                    {t('storage.add')}
                  </Link>
                </Card>
                <Card title={t('first.another')}>
                  <p className="mb-4 text-ink-2">{t('first.anotherText')}</p>
                  <Link to={paths.newServer} className={buttonClass()}>
                    {t('servers.add')}
                  </Link>
                </Card>
                {record.encrypted && user.can('admin') && (
                  <Card title={t('kit.title')}>
                    <p className="mb-4 text-ink-2">{t('kit.remindText')}</p>
                    <RecoveryKitButton />
                  </Card>
                )}
              </div>
            )}
          </div>
        )}
      </QueryView>
    </>
  );
}
