import { describeError } from '../api/error-message.ts';
import { t } from '../i18n/i18n.ts';
import { Callout } from '../ui/Card.tsx';

/** Why a run failed and what to do, with the code to quote; without words the server stopped under it. */
export function FailureCallout({
  record,
}: {
  record: { readonly errorCode: string; readonly errorMessage: string; readonly errorHint: string };
}) {
  const { what, next } = describeError(record.errorCode, record.errorMessage, record.errorHint);
  return (
    <Callout tone="bad" icon="x-circle" title={what || t('record.interruptedText')}>
      {next && <p>{next}</p>}
      {record.errorCode && <p className="mt-1 font-mono text-xs text-ink-3 select-all">{record.errorCode}</p>}
    </Callout>
  );
}
