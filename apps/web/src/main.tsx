/**
 * Entry of the console: language and theme, then who is asking. Until somebody is signed in nothing but React and the
 * login form is loaded; the console proper (`app.tsx`) follows as a chunk of its own.
 */
import { type ComponentType, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { applyGateLocale, applyLocale, followSystemTheme, initialLocale } from './api/preferences.ts';
import { currentSession, openSession, useSession } from './api/session.ts';
import { ErrorBox } from './components/ErrorBox.tsx';
import { useLocale } from './components/use-locale.ts';
import { currentLocale } from './i18n/i18n.ts';
import { GatePage } from './pages/gate/GatePage.tsx';
import './styles.css';

/** The console proper, once it is loaded. */
let loaded: ComponentType | null = null;

async function loadConsole(): Promise<ComponentType> {
  const [{ App }] = await Promise.all([import('./app.tsx'), applyLocale(currentLocale())]);
  loaded = App;
  return App;
}

/** Not `lazy`: React shows what comes after a fallback 300 ms later at the earliest, even when there is none to see. */
function SignedIn() {
  const [App, setApp] = useState(() => loaded);
  const [failure, setFailure] = useState<unknown>(null);
  useEffect(() => {
    if (!loaded) loadConsole().then((component) => setApp(() => component), setFailure);
  }, []);
  if (App) return <App />;
  if (failure === null) return null;
  // A browser may remember that a module could not be had, until the page is loaded anew.
  return (
    <main className="mx-auto max-w-xl px-4 py-10">
      <ErrorBox error={failure} onRetry={() => location.reload()} />
    </main>
  );
}

function Root() {
  const session = useSession();
  useLocale();
  return session.state === 'signed-in' ? <SignedIn /> : <GatePage session={session} />;
}

async function start(): Promise<void> {
  followSystemTheme();
  await Promise.all([applyGateLocale(initialLocale()), openSession()]);
  // Nothing is drawn twice. What fails here is tried once more below, where it can be told.
  if (currentSession().state === 'signed-in') await loadConsole().catch(() => undefined);
  const element = document.getElementById('root');
  if (!element) throw new Error('index.html has no #root');
  createRoot(element).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  );
}

void start();
