/** The frame of every signed-in page: menu, live-update notice, palette, keys, toasts. */
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { useCallback, useEffect, useState } from 'react';
import { useLiveUpdates, useStreamState } from '../api/live.ts';
import { useSettings } from '../api/queries.ts';
import { signOut, useUser } from '../api/session.ts';
import { t } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { Toasts } from '../ui/Toast.tsx';
import { type Command, CommandPalette } from './CommandPalette.tsx';
import { Preferences } from './Preferences.tsx';
import { ShortcutHelp } from './ShortcutHelp.tsx';
import { type Shortcut, useShortcuts } from './shortcuts.ts';
import { toastError } from './task-actions.tsx';

export interface MenuEntry {
  readonly to: string;
  readonly label: string;
  readonly icon: IconName;
}

export function Logo() {
  return (
    <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true" className="shrink-0">
      <rect width="32" height="32" rx="8" className="fill-accent" />
      <path d="M9 12.5 16 9l7 3.5-7 3.5z" fill="#fff" />
      <path
        d="m9 16.5 7 3.5 7-3.5M9 20.5l7 3.5 7-3.5"
        fill="none"
        stroke="#fff"
        strokeWidth="2"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}

function NavLink({ entry, onClick }: { entry: MenuEntry; onClick?: () => void }) {
  return (
    <Link
      to={entry.to}
      onClick={onClick}
      activeOptions={{ exact: entry.to === '/' }}
      className="flex h-9 items-center gap-3 rounded-lg px-3 font-medium text-ink-2 hover:bg-raised hover:text-ink aria-[current=page]:bg-raised aria-[current=page]:text-ink"
    >
      <Icon name={entry.icon} size={17} />
      {entry.label}
    </Link>
  );
}

function Account() {
  const user = useUser();
  return (
    <div className="space-y-3">
      <div className="flex items-center gap-2.5">
        <span className="grid size-8 place-items-center rounded-full bg-accent-soft text-accent-ink">
          <Icon name="user" size={15} />
        </span>
        <div className="min-w-0 flex-1">
          <p className="truncate font-medium">{user.displayName || user.username}</p>
          <p className="text-xs text-ink-3">{t(`role.${user.role}`)}</p>
        </div>
        <button
          type="button"
          aria-label={t('account.signOut')}
          title={t('account.signOut')}
          onClick={() => void signOut().catch(toastError)}
          className="grid size-8 place-items-center rounded-lg text-ink-2 hover:bg-raised hover:text-ink"
        >
          <Icon name="logout" />
        </button>
      </div>
      <Preferences />
    </div>
  );
}

function SearchButton({ onClick }: { onClick: () => void }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="flex h-9 w-full items-center gap-2.5 rounded-lg border border-line bg-canvas px-3 text-ink-3 hover:border-line-strong"
    >
      <Icon name="search" size={15} />
      <span className="min-w-0 flex-1 truncate text-left">{t('palette.open')}</span>
      <kbd className="rounded border border-line px-1.5 font-mono text-[11px]">/</kbd>
    </button>
  );
}

function PausedNotice() {
  const state = useStreamState();
  return (
    <div role="status" aria-live="polite">
      {state === 'paused' && (
        <p className="flex items-center justify-center gap-2 border-b border-warn-mark/30 bg-warn-soft px-4 py-1.5 text-[13px] text-warn">
          <Icon name="pause" size={14} />
          {t('live.paused')}
        </p>
      )}
    </div>
  );
}

/** Bottom bar of small screens: four places and a sheet with everything. */
function PhoneMenu({ menu, onSearch }: { menu: readonly MenuEntry[]; onSearch: () => void }) {
  const [open, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: closes when the page changes
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="lg:hidden">
      {open && (
        <div className="rise fixed inset-x-0 bottom-15 z-30 max-h-[75dvh] space-y-4 overflow-y-auto rounded-t-2xl border-t border-line bg-surface p-4 shadow-pop">
          <SearchButton onClick={onSearch} />
          <nav aria-label={t('nav.all')} className="grid grid-cols-2 gap-1">
            {menu.map((entry) => (
              <NavLink key={entry.to} entry={entry} />
            ))}
          </nav>
          <div className="border-t border-line pt-4">
            <Account />
          </div>
        </div>
      )}
      <nav
        aria-label={t('nav.main')}
        className="fixed inset-x-0 bottom-0 z-30 grid h-15 grid-cols-5 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)]"
      >
        {menu.slice(0, 4).map((entry) => (
          <Link
            key={entry.to}
            to={entry.to}
            activeOptions={{ exact: entry.to === '/' }}
            className="flex flex-col items-center justify-center gap-0.5 text-[11px] text-ink-2 -outline-offset-2 aria-[current=page]:text-accent-ink"
          >
            <Icon name={entry.icon} size={19} />
            {entry.label}
          </Link>
        ))}
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex flex-col items-center justify-center gap-0.5 text-[11px] text-ink-2 -outline-offset-2"
        >
          <Icon name={open ? 'x' : 'menu'} size={19} />
          {t('nav.more')}
        </button>
      </nav>
    </div>
  );
}

export function Shell({ menu, pages }: { menu: readonly MenuEntry[]; pages: readonly Command[] }) {
  useLiveUpdates();
  const navigate = useNavigate();
  const settings = useSettings();
  const [opened, setOpened] = useState<'palette' | 'help' | null>(null);
  const run = useCallback(
    (action: Shortcut['action']) => {
      if ('go' in action) void navigate({ to: action.go });
      else if ('open' in action) setOpened(action.open);
    },
    [navigate],
  );
  useShortcuts(run);
  const close = () => setOpened(null);
  return (
    <div className="lg:grid lg:grid-cols-[17rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-60 rounded-lg bg-surface px-4 py-2 focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        {t('nav.skip')}
      </a>
      <aside className="sticky top-0 flex h-dvh flex-col gap-4 border-r border-line bg-surface p-4 max-lg:hidden">
        <div className="flex items-center gap-2.5 px-1 py-1">
          <Logo />
          <span className="truncate text-[15px] font-semibold tracking-tight">
            {settings.data?.siteName || t('app.name')}
          </span>
        </div>
        <SearchButton onClick={() => setOpened('palette')} />
        <nav aria-label={t('nav.main')} className="flex-1 space-y-0.5">
          {menu.map((entry) => (
            <NavLink key={entry.to} entry={entry} />
          ))}
        </nav>
        <Account />
      </aside>
      <div className="min-w-0 max-lg:pb-16">
        <PausedNotice />
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto w-full max-w-6xl px-4 py-6 outline-none sm:px-6 lg:px-8 lg:py-8"
        >
          <Outlet />
        </main>
      </div>
      <PhoneMenu menu={menu} onSearch={() => setOpened('palette')} />
      {opened === 'palette' && <CommandPalette pages={pages} onClose={close} />}
      {opened === 'help' && <ShortcutHelp onClose={close} />}
      <Toasts closeLabel={t('action.close')} />
    </div>
  );
}
