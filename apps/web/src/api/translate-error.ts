/** Chinese words for the catalogue's errors; a module of its own so that English pages need not load the catalogue. */
import { errorMessagesZhCn } from '@backupx/contracts/error-messages.zh-cn';
import { errorCatalog, fillTemplate, isErrorCode } from '@backupx/contracts/errors';

const escapePattern = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Reads the parameters back out of a filled template; null when `text` was not made from it. */
export function readParams(template: string, text: string): Record<string, string> | null {
  const names: string[] = [];
  const pattern = template
    .split(/\{(\w+)\}/)
    .map((part, index) => {
      if (index % 2 === 0) return escapePattern(part);
      names.push(part);
      return '([\\s\\S]*?)';
    })
    .join('');
  const match = new RegExp(`^${pattern}$`).exec(text);
  return match && Object.fromEntries(names.map((name, index) => [name, match[index + 1] ?? '']));
}

/** Translates what the server said in English; what does not follow the template stays as it is. */
export function translateError(code: string, message: string, hint: string): { what: string; next: string } {
  if (!isErrorCode(code)) return { what: message, next: hint };
  const english = errorCatalog[code];
  const texts = errorMessagesZhCn[code];
  const params = { ...readParams(english.message, message), ...readParams(english.hint, hint) };
  const what = fillTemplate(texts.message, params);
  // A message that was not made from the template says more than a template with holes.
  if (/\{\w+\}/.test(what)) return { what: message, next: hint };
  const next = fillTemplate(texts.hint, params);
  return { what, next: /\{\w+\}/.test(next) ? hint : next };
}
