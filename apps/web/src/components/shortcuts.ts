/** The keyboard: one table that the key handler obeys and the help dialog prints, so that help cannot lie. */
import { useEffect } from 'react';
import type { MessageKey } from '../i18n/i18n.ts';
import { paths } from './paths.ts';

export interface Shortcut {
  /** One key, or two typed one after the other; `mod` is Ctrl or ⌘. */
  readonly keys: readonly string[];
  readonly does: MessageKey;
  /** `page`: a page of its own listens (`useKey`), the table only says so. */
  readonly action: { readonly go: string } | { readonly open: 'palette' | 'help' } | { readonly page: true };
}

export const shortcuts: readonly Shortcut[] = [
  { keys: ['mod+k'], does: 'shortcut.palette', action: { open: 'palette' } },
  { keys: ['/'], does: 'shortcut.palette', action: { open: 'palette' } },
  { keys: ['?'], does: 'shortcut.help', action: { open: 'help' } },
  { keys: ['n'], does: 'shortcut.newTask', action: { go: paths.newTask } },
  { keys: ['g', 'o'], does: 'nav.overview', action: { go: paths.overview } },
  { keys: ['g', 't'], does: 'nav.tasks', action: { go: paths.tasks } },
  { keys: ['g', 'a'], does: 'nav.activity', action: { go: paths.activity } },
  { keys: ['g', 'r'], does: 'nav.restore', action: { go: paths.restore } },
  { keys: ['g', 's'], does: 'nav.servers', action: { go: paths.servers } },
  { keys: ['e'], does: 'shortcut.nextError', action: { page: true } },
  { keys: ['r'], does: 'shortcut.retry', action: { page: true } },
];

const SEQUENCE_MS = 1200;

/** True while the keys belong to what the person is typing in. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Finds the shortcut for a key after a possible first key. Exported for its test. */
export function matchShortcut(first: string, key: string, mod: boolean): Shortcut | undefined {
  const name = mod ? `mod+${key.toLowerCase()}` : key;
  return shortcuts.find(({ keys, action }) => {
    if ('page' in action) return false;
    return keys.length === 2 ? keys[0] === first && keys[1] === name : keys[0] === name;
  });
}

/** Listens for the table's keys; `run` carries an action out. */
export function useShortcuts(run: (action: Shortcut['action']) => void): void {
  useEffect(() => {
    let first = '';
    let firstAt = 0;
    const onKeyDown = (event: KeyboardEvent) => {
      const mod = event.ctrlKey || event.metaKey;
      if (event.defaultPrevented || event.altKey || (isTyping(event.target) && !mod)) return;
      if (document.querySelector('[role="dialog"]')) return;
      const found = matchShortcut(event.timeStamp - firstAt < SEQUENCE_MS ? first : '', event.key, mod);
      first = event.key;
      firstAt = event.timeStamp;
      if (!found) return;
      event.preventDefault();
      run(found.action);
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [run]);
}
