import { useSyncExternalStore } from 'react';
import { setLocale } from '../api/preferences.ts';
import { currentLocale, type Locale } from '../i18n/i18n.ts';

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Loads a language and draws the page anew in it; nothing is mounted anew, so what was typed stays. */
export async function changeLocale(locale: Locale): Promise<void> {
  await setLocale(locale);
  for (const listener of listeners) listener();
}

/** Draws the component, and what it draws, anew when the language changes. For the root and each page. */
export function useLocale(): Locale {
  return useSyncExternalStore(subscribe, currentLocale);
}
