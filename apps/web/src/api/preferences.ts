/** Theme and language of this browser; `before-paint.js` reads the same keys before the first paint. */
import { type Locale, loadGateTexts, loadLocale } from '../i18n/i18n.ts';
import { configureClient } from './client.ts';
import { loadErrorTexts } from './error-message.ts';

export type Theme = 'system' | 'light' | 'dark';

function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage switched off: the choice holds for this page only.
  }
}

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function currentTheme(): Theme {
  const stored = recall('backupx.theme');
  return stored === 'dark' || stored === 'light' ? stored : 'system';
}

const systemDark = () => matchMedia('(prefers-color-scheme: dark)');

function paint(theme: Theme): void {
  const dark = theme === 'dark' || (theme === 'system' && systemDark().matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

export function setTheme(theme: Theme): void {
  remember('backupx.theme', theme === 'system' ? null : theme);
  paint(theme);
}

/** Follows the system while no theme is chosen. */
export function followSystemTheme(): void {
  systemDark().addEventListener('change', () => paint(currentTheme()));
}

function announceLocale(locale: Locale): void {
  configureClient({ language: locale });
  document.documentElement.lang = locale;
}

/** Loads what the gate shows in `locale`; before login the server's answers are in the language already. */
export async function applyGateLocale(locale: Locale): Promise<void> {
  await loadGateTexts(locale);
  announceLocale(locale);
}

/** Loads every text, and the words for errors. */
export async function applyLocale(locale: Locale): Promise<void> {
  await Promise.all([loadLocale(locale), loadErrorTexts(locale)]);
  announceLocale(locale);
}

export async function setLocale(locale: Locale): Promise<void> {
  remember('backupx.locale', locale);
  await applyLocale(locale);
}

/** What `before-paint.js` decided. */
export function initialLocale(): Locale {
  return document.documentElement.lang === 'zh-CN' ? 'zh-CN' : 'en';
}

/** An unfinished form, kept in this tab until it is sent. */
export function readDraft<T>(name: string): T | null {
  try {
    return JSON.parse(sessionStorage.getItem(`backupx.draft.${name}`) ?? 'null') as T | null;
  } catch {
    return null;
  }
}

export function writeDraft(name: string, value: unknown): void {
  try {
    if (value === null) sessionStorage.removeItem(`backupx.draft.${name}`);
    else sessionStorage.setItem(`backupx.draft.${name}`, JSON.stringify(value));
  } catch {
    // A draft is a convenience.
  }
}
