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

/** So much of a template must be words of its own before a text is taken for one made from it. */
const MIN_WORDS = 12;

const templates = Object.entries(errorCatalog)
  .map(([code, { message }]) => {
    const parts = message.split(/\{\w+\}/).toSorted((a, b) => b.length - a.length);
    return { code, message, longest: parts[0] ?? '', words: parts.join('').length };
  })
  .filter(({ words }) => words >= MIN_WORDS)
  // The one that says most of itself is the right one.
  .toSorted((a, b) => b.words - a.words);

/** A parameter is often the message of what was the cause: translated too when it is one. */
function translateParam(text: string): string {
  for (const { code, message, longest } of templates) {
    // Where a sentence goes on after it, it has lost its full stop.
    const whole = [text, `${text}.`].find((one) => one.includes(longest) && readParams(message, one));
    if (whole !== undefined) return translateError(code, whole, '').what;
  }
  return text;
}

/** Translates what the server said in English; what does not follow the template stays as it is. */
export function translateError(code: string, message: string, hint: string): { what: string; next: string } {
  if (!isErrorCode(code)) return { what: message, next: hint };
  const english = errorCatalog[code];
  const texts = errorMessagesZhCn[code];
  const read = { ...readParams(english.message, message), ...readParams(english.hint, hint) };
  const params = Object.fromEntries(Object.entries(read).map(([name, text]) => [name, translateParam(text)]));
  const what = fillTemplate(texts.message, params);
  // A message that was not made from the template says more than a template with holes.
  if (/\{\w+\}/.test(what)) return { what: message, next: hint };
  const next = fillTemplate(texts.hint, params);
  return { what, next: /\{\w+\}/.test(next) ? hint : next };
}
