import { Link } from '@tanstack/react-router';
import { useChange } from '../../api/queries.ts';
import type { VerifyRecord } from '../../api/types.ts';
import { useVerification } from '../../api/verify-queries.ts';
import { FailureCallout } from '../../components/FailureCallout.tsx';
import { OptionList } from '../../components/OptionList.tsx';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { useIdParam } from '../../components/use-id-param.ts';
import { VerificationBadge } from '../../components/VerificationTable.tsx';
import { formatBytes, formatDateTime, formatDuration, formatNumber } from '../../i18n/format.ts';
import { t } from '../../i18n/i18n.ts';
import { Callout, Card, Facts } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { CancelRun, RunBody } from './RunBody.tsx';

function VerificationFacts({ record }: { record: VerifyRecord }) {
  return (
    <Card title={t('record.facts')}>
      <Facts
        items={[
          [
            t('verify.record'),
            <Link key="r" to={paths.record(record.recordId)} className="text-accent-ink hover:underline">
              {`${record.taskName} · ${record.recordId}`}
            </Link>,
          ],
          [t('verify.mode'), t(`verify.${record.mode}`)],
          [t('task.server'), record.nodeName],
          Object.keys(record.options).length > 0
            ? [t('verify.where'), <OptionList key="o" options={record.options} />]
            : null,
          [t('record.trigger'), t(`trigger.${record.trigger}`)],
          record.requestedBy ? [t('restore.by'), record.requestedBy] : null,
          [t('record.started'), formatDateTime(record.startedAt)],
          record.completedAt ? [t('record.ended'), formatDateTime(record.completedAt)] : null,
          [t('record.duration'), formatDuration(record.durationSeconds)],
          record.itemCount > 0 ? [t('record.items'), formatNumber(record.itemCount)] : null,
          record.sourceBytes > 0 ? [t('record.size'), formatBytes(record.sourceBytes)] : null,
        ]}
      />
    </Card>
  );
}

function Checks({ record }: { record: VerifyRecord }) {
  if (record.checks.length === 0) return null;
  return (
    <Card title={t('verify.checks')}>
      <ul className="space-y-3">
        {record.checks.map((check) => (
          <li key={`${check.subject}\n${check.name}`} className="flex gap-2.5">
            <Icon
              name={check.ok ? 'check-circle' : 'x-circle'}
              className={`mt-0.5 shrink-0 ${check.ok ? 'text-ok' : 'text-bad'}`}
            />
            <div className="min-w-0">
              <p className="font-medium [overflow-wrap:anywhere]">
                {check.subject} · {t(`verifyCheck.${check.name}`)}
                <span className="sr-only">{check.ok ? t('verify.passed') : t('verify.damaged')}</span>
              </p>
              <p className="text-[13px] [overflow-wrap:anywhere] text-ink-2" lang="en">
                {check.detail}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Outcome({ record }: { record: VerifyRecord }) {
  if (record.status === 'failed' && record.problemCount > 0) {
    return (
      <Callout tone="bad" icon="alert" title={t('verify.damaged')}>
        {t('verify.failedText', { summary: record.summary })}
      </Callout>
    );
  }
  if (record.status === 'success') {
    return (
      <Callout tone="ok" icon="check-circle" title={t('verify.passed')}>
        {t('verify.passedText', { count: record.checks.length })}
      </Callout>
    );
  }
  return record.errorMessage === '' ? null : <FailureCallout record={record} />;
}

function VerificationView({ record }: { record: VerifyRecord }) {
  const cancel = useChange('verifications.cancel', ['verification', 'verifications']);
  return (
    <>
      <PageHeader
        title={t('verify.of', { name: record.taskName })}
        note={<VerificationBadge record={record} />}
        back={{ to: paths.record(record.recordId), label: record.taskName }}
        actions={record.status === 'running' && <CancelRun id={record.id} cancel={cancel} label={t('action.cancel')} />}
      />
      <RunBody
        kind="verify"
        record={record}
        outcome={<Outcome record={record} />}
        mayClose={t('maintenance.mayClose')}
        facts={<VerificationFacts record={record} />}
      >
        <Checks record={record} />
      </RunBody>
    </>
  );
}

/** One proof that a backup can be restored: what was checked, how it ended, its log. */
export default function VerificationPage() {
  const id = useIdParam();
  const query = useVerification(id);
  return <QueryView query={query}>{(record) => <VerificationView record={record} />}</QueryView>;
}
