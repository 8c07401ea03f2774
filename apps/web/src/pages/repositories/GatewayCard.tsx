import { useState } from 'react';
import { useChange, useSettings } from '../../api/queries.ts';
import type { Repository } from '../../api/types.ts';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { CopyBox } from '../../components/CopyBox.tsx';
import { t } from '../../i18n/i18n.ts';
import { Button } from '../../ui/Button.tsx';
import { Callout, Card } from '../../ui/Card.tsx';

interface Issued {
  readonly username: string;
  readonly token: string;
  readonly path: string;
}

/** What stock restic needs to know, for a shell. */
function resticLine({ username, token, path }: Issued, base: string): string {
  const url = new URL(path, base);
  url.username = username;
  url.password = token;
  return `export RESTIC_REPOSITORY=rest:${url.href}`;
}

type Question = 'issue' | 'revoke';

/** The token with which stock restic backs up into this repository through the master. */
export function GatewayCard({ repository }: { repository: Repository }) {
  const settings = useSettings();
  const issue = useChange('repositories.issueToken', ['repository', 'repositories']);
  const revoke = useChange('repositories.revokeToken', ['repository', 'repositories']);
  const [question, ask] = useState<Question | null>(null);
  const params = { id: repository.id };
  const close = () => {
    issue.reset();
    revoke.reset();
    ask(null);
  };
  const [issued, setIssued] = useState<Issued | null>(null);
  const base = settings.data?.externalUrl || location.origin;
  const start = () =>
    issue.mutate(
      { params },
      {
        onSuccess: (answer) => {
          setIssued(answer);
          ask(null);
        },
      },
    );
  return (
    <Card title={t('gateway.title')}>
      <div className="space-y-4">
        <p className="text-ink-2">{t('gateway.text')}</p>
        {issued && (
          <>
            <Callout tone="warn" icon="key" title={t('gateway.once')} />
            <CopyBox autoFocus label={t('servers.environment')} text={resticLine(issued, base)} />
          </>
        )}
        {repository.hasGatewayToken && !issued && <Callout tone="info" icon="key" title={t('gateway.active')} />}
        <div className="flex flex-wrap gap-2">
          <Button
            icon="key"
            busy={issue.isPending}
            onClick={() => (repository.hasGatewayToken ? ask('issue') : start())}
          >
            {repository.hasGatewayToken ? t('gateway.replace') : t('gateway.issue')}
          </Button>
          {repository.hasGatewayToken && (
            <Button kind="ghost" icon="trash" onClick={() => ask('revoke')}>
              {t('gateway.revoke')}
            </Button>
          )}
        </div>
      </div>
      <ConfirmDialog
        open={question === 'issue'}
        onClose={close}
        title={t('gateway.replaceTitle', { name: repository.name })}
        confirm={t('gateway.replace')}
        busy={issue.isPending}
        error={issue.error}
        onConfirm={start}
      >
        {t('gateway.replaceText')}
      </ConfirmDialog>
      <ConfirmDialog
        open={question === 'revoke'}
        onClose={close}
        title={t('gateway.revokeTitle', { name: repository.name })}
        confirm={t('gateway.revoke')}
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() =>
          revoke.mutate(
            { params },
            {
              onSuccess: () => {
                setIssued(null);
                ask(null);
              },
            },
          )
        }
      >
        {t('gateway.replaceText')}
      </ConfirmDialog>
    </Card>
  );
}
