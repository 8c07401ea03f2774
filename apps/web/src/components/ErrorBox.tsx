import { errorMessage } from '../api/error-message.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Callout } from '../ui/Card.tsx';

/** What went wrong, why and what next, with a code to quote. */
export function ErrorBox({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (!error) return null;
  const { what, next, code, requestId } = errorMessage(error);
  return (
    <Callout
      tone="bad"
      icon="alert"
      role="alert"
      title={what}
      actions={
        onRetry && (
          <Button small icon="refresh" onClick={onRetry}>
            {t('action.retry')}
          </Button>
        )
      }
    >
      {next && <p>{next}</p>}
      {code && (
        <p className="mt-1 font-mono text-xs text-ink-3 select-all">
          {code}
          {requestId && ` · ${requestId}`}
        </p>
      )}
    </Callout>
  );
}
