/** The signed-in console: router and queries. Loaded after the session gate so that login stays small. */
import { CSPProvider } from '@base-ui/react/csp-provider';
import { QueryClientProvider } from '@tanstack/react-query';
import {
  type AsyncRouteComponent,
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  Link,
  lazyRouteComponent,
  RouterProvider,
} from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { queryClient } from './api/queries.ts';
import { useUser } from './api/session.ts';
import { ErrorBox } from './components/ErrorBox.tsx';
import { paths } from './components/paths.ts';
import { Shell } from './components/Shell.tsx';
import { useLocale } from './components/use-locale.ts';
import { type MessageKey, t } from './i18n/i18n.ts';
import { type RouteEntry, routes } from './routes.tsx';
import { buttonClass } from './ui/Button.tsx';
import { EmptyState, Skeleton } from './ui/Card.tsx';

const word = (key: MessageKey) => t(key as 'nav.overview');

function Frame() {
  useLocale();
  const user = useUser();
  const allowed = routes.filter((route) => user.can(route.role));
  const menu = allowed.flatMap(({ path, menu: label, icon }) =>
    label && icon ? [{ to: path, label: word(label), icon }] : [],
  );
  const pages = allowed.flatMap(({ path, menu: label, command = label, icon = 'info' }) =>
    command ? [{ id: path, to: path, label: word(command), kind: t('palette.page'), icon }] : [],
  );
  return <Shell menu={menu} pages={pages} />;
}

function NotFound() {
  useLocale();
  return (
    <EmptyState
      icon="search"
      title={t('notFound.title')}
      text={t('notFound.text')}
      action={
        <Link to={paths.overview} className={buttonClass('primary')}>
          {t('notFound.home')}
        </Link>
      }
    />
  );
}

function PageFailed({ error, reset }: ErrorComponentProps) {
  return <ErrorBox error={error} onRetry={reset} />;
}

function NotAllowed() {
  return (
    <EmptyState
      icon="lock"
      title={t('notAllowed.title')}
      text={t('notAllowed.text')}
      action={
        <Link to={paths.overview} className={buttonClass('primary')}>
          {t('notFound.home')}
        </Link>
      }
    />
  );
}

/** A page for those whose role may see it. The router draws it once and keeps it: it listens for the language itself. */
function guarded(load: RouteEntry['page'], role: RouteEntry['role']) {
  const Page = lazyRouteComponent<{ default: ComponentType }, 'default'>(load) as AsyncRouteComponent<object>;
  function GuardedPage() {
    useLocale();
    return useUser().can(role) ? <Page /> : <NotAllowed />;
  }
  return Object.assign(GuardedPage, { preload: Page.preload });
}

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });
const router = createRouter({
  routeTree: root.addChildren(
    routes.map(({ path, page, role }) =>
      createRoute({ getParentRoute: () => root, path, component: guarded(page, role) }),
    ),
  ),
  defaultPreload: 'intent',
  defaultErrorComponent: PageFailed,
  defaultPendingComponent: () => <Skeleton label={t('state.loading')} />,
  scrollRestoration: true,
});

export function App() {
  return (
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </CSPProvider>
  );
}
