import { useEffect } from 'react';
import { openSession, type Session } from '../../api/session.ts';
import { ErrorBox } from '../../components/ErrorBox.tsx';
import { Preferences } from '../../components/Preferences.tsx';
import { t } from '../../i18n/i18n.ts';
import { Callout } from '../../ui/Card.tsx';
import { LoginForm } from './LoginForm.tsx';
import { SetupForm } from './SetupForm.tsx';

function Mark() {
  return <img src="/favicon.svg" alt="" width={40} height={40} />;
}

/** What stands before the console: set-up of a new installation, login, or "the server does not answer". */
export function GatePage({ session }: { session: Exclude<Session, { state: 'signed-in' }> }) {
  const isSetup = session.state === 'setup';
  const title = isSetup ? t('setup.title') : t('login.title');
  useEffect(() => {
    document.title = `${title} · BackupX`;
  }, [title]);
  return (
    <div className="grid min-h-dvh grid-rows-[1fr_auto] px-4">
      <main className="mx-auto flex w-full max-w-sm flex-col justify-center py-10">
        <div className="mb-6 flex flex-col items-center text-center">
          <Mark />
          <h1 className="mt-4 text-xl font-semibold tracking-tight">{title}</h1>
          <p className="mt-1 text-balance text-ink-2">{isSetup ? t('setup.text') : t('login.text')}</p>
        </div>
        <div className="rounded-2xl border border-line bg-surface p-6 shadow-card">
          {session.state === 'unreachable' && <ErrorBox error={session.error} onRetry={() => void openSession()} />}
          {session.state === 'setup' && <SetupForm />}
          {session.state === 'signed-out' && (
            <div className="space-y-4">
              {session.ended && (
                <Callout tone="info" icon="info" role="status" title={t('login.ended')}>
                  {t('login.endedHint')}
                </Callout>
              )}
              <LoginForm />
            </div>
          )}
        </div>
      </main>
      <footer className="flex justify-center pb-6">
        <Preferences />
      </footer>
    </div>
  );
}
