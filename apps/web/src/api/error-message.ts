/**
 * The only place that turns a failure into words for a person. English answers are shown as the server wrote them;
 * in another language the English text gives the parameters and the translated template gives the words, so that
 * stored messages of old records are translated too.
 */
import { hasMessage, type Locale, t } from '../i18n/i18n.ts';
import { ApiError } from './client.ts';

export interface ErrorWords {
  /** What happened and why. */
  readonly what: string;
  /** What to do next; may be empty. */
  readonly next: string;
  /** Stable code to quote in a report; empty for programming errors. */
  readonly code: string;
  readonly requestId: string;
}

type Translate = (code: string, message: string, hint: string) => { what: string; next: string };
const asSent: Translate = (_code, message, hint) => ({ what: message, next: hint });
let translate = asSent;

/** Loads the error texts of a language; call whenever the language changes. */
export async function loadErrorTexts(locale: Locale): Promise<void> {
  translate = locale === 'zh-CN' ? (await import('./translate-error.ts')).translateError : asSent;
}

/** The words for a code with the server's English texts, in the current language. */
export function describeError(code: string, message: string, hint: string): { what: string; next: string } {
  return translate(code, message, hint);
}

/** Words for anything that was thrown. */
export function errorMessage(error: unknown): ErrorWords {
  if (!(error instanceof ApiError)) {
    return { what: t('error.unexpected'), next: error instanceof Error ? error.message : '', code: '', requestId: '' };
  }
  const about = { code: error.code, requestId: error.requestId };
  if (error.code === 'NO_CONNECTION') {
    return { what: t('error.noConnection'), next: t('error.noConnectionHint'), ...about };
  }
  if (error.code === 'NOT_OUR_ANSWER') {
    return { what: t('error.notOurs'), next: t('error.notOursHint'), ...about };
  }
  return { ...translate(error.code, error.message, error.hint), ...about };
}

/** Words for one refused field; falls back to the server's English. */
function fieldMessage(field: { code: string; message: string }): string {
  const key = `field.${field.code}`;
  return hasMessage(key) ? t(key as 'field.required') : field.message;
}

/** Refused fields of an answer by their dotted path. */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  return Object.fromEntries(error.fields.map((field) => [field.path, fieldMessage(field)]));
}
