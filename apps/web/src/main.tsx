/**
 * Entry of the console: language and theme, then who is asking. Until somebody is signed in nothing but React and the
 * login form is loaded; the console proper (`app.tsx`) follows as a chunk of its own.
 */
import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { applyGateLocale, applyLocale, followSystemTheme, initialLocale } from './api/preferences.ts';
import { openSession, useSession } from './api/session.ts';
import { useLocale } from './components/use-locale.ts';
import { currentLocale } from './i18n/i18n.ts';
import { GatePage } from './pages/gate/GatePage.tsx';
import './styles.css';

const SignedInApp = lazy(async () => {
  const texts = applyLocale(currentLocale());
  const { App } = await import('./app.tsx');
  await texts;
  return { default: App };
});

function Root() {
  const session = useSession();
  useLocale();
  if (session.state !== 'signed-in') return <GatePage session={session} />;
  return (
    <Suspense fallback={null}>
      <SignedInApp />
    </Suspense>
  );
}

async function start(): Promise<void> {
  followSystemTheme();
  await Promise.all([applyGateLocale(initialLocale()), openSession()]);
  const element = document.getElementById('root');
  if (!element) throw new Error('index.html has no #root');
  createRoot(element).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  );
}

void start();
