/**
 * A typed catalogue, small enough to sit before login: `en.ts` is all that the gate needs, the texts of repositories
 * come with the console proper. The English files are the source of keys; another language is an object of the same
 * keys (checked by type and test). `{name}` is filled in; a text may be `{ one, other }` chosen by `count`.
 */
import type { enWhole } from './en-whole.ts';

export type Locale = 'en' | 'zh-CN';
export const locales: readonly { id: Locale; name: string }[] = [
  { id: 'en', name: 'English' },
  { id: 'zh-CN', name: '简体中文' },
];

type Messages = typeof enWhole;
export type MessageKey = keyof Messages;
export type Text = string | { readonly one: string; readonly other: string };
export type Catalogue = Readonly<Record<MessageKey, Text>>;
type Names<S> = S extends `${string}{${infer P}}${infer R}` ? P | Names<R> : never;
type ParamNames<K extends MessageKey> = Names<Messages[K] extends { other: infer O } ? O | '{count}' : Messages[K]>;
type Params<K extends MessageKey> = [ParamNames<K>] extends [never] ? [] : [Record<ParamNames<K>, string | number>];

let locale: Locale = 'en';
let messages: Partial<Catalogue> = {};
let numbers = new Intl.NumberFormat('en');
let plurals = new Intl.PluralRules('en');

export function currentLocale(): Locale {
  return locale;
}

/** Installs a language that is already loaded. */
export function installLocale(id: Locale, catalogue: Partial<Catalogue>): void {
  locale = id;
  messages = catalogue;
  numbers = new Intl.NumberFormat(id);
  plurals = new Intl.PluralRules(id);
}

/** Loads and installs a language: what the gate shows. */
export async function loadGateTexts(id: Locale): Promise<void> {
  installLocale(id, id === 'zh-CN' ? (await import('./zh-cn.ts')).zhCN : (await import('./en.ts')).en);
}

/** Loads and installs a language, every text of it. */
export async function loadLocale(id: Locale): Promise<void> {
  installLocale(
    id,
    id === 'zh-CN' ? (await import('./zh-cn-whole.ts')).zhCNWhole : (await import('./en-whole.ts')).enWhole,
  );
}

/** The text of `key` in the current language. Numbers among the parameters follow its rules. */
export function t<K extends MessageKey>(key: K, ...args: Params<K>): string {
  const params: Record<string, string | number> = (args as readonly Record<string, string | number>[])[0] ?? {};
  const entry = messages[key] ?? key;
  const text =
    typeof entry === 'string' ? entry : plurals.select(Number(params.count)) === 'one' ? entry.one : entry.other;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? numbers.format(value) : value;
  });
}

/** True when the catalogue holds `key`; for keys built from what a driver or the server names. */
export function hasMessage(key: string): key is MessageKey {
  return Object.hasOwn(messages, key);
}
