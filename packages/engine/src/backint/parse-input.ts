/** The input of a Backint call: one keyword per line; every line without a known keyword is a comment. */
import { malformedLine, splitWords, type Word } from './words.ts';

export const backintFunctions = ['backup', 'restore', 'inquire', 'delete'] as const;
export type BackintFunction = (typeof backintFunctions)[number];

/** One thing that was asked for. */
export interface BackintItem {
  /** `#NULL`, `#PIPE` and `#FILE` have none. */
  readonly ebid: string | null;
  /** Null only for an inquiry about everything, or about an id alone. */
  readonly file: Word | null;
  /** Where to restore to, when it is not where it came from. */
  readonly destination: string | null;
}

export interface BackintInput {
  /** Version of the protocol the database speaks, such as `1.04`; null when it did not say. */
  readonly version: string | null;
  readonly items: readonly BackintItem[];
}

interface LineForm {
  readonly hasEbid: boolean;
  /** Fewest and most words after the keyword. */
  readonly words: readonly [number, number];
}

const path: LineForm = { hasEbid: false, words: [1, 2] };
const forms: Record<BackintFunction, Readonly<Record<string, LineForm>>> = {
  backup: { '#PIPE': path, '#FILE': path },
  restore: { '#EBID': { hasEbid: true, words: [2, 3] }, '#NULL': path },
  inquire: { '#EBID': { hasEbid: true, words: [1, 2] }, '#NULL': { hasEbid: false, words: [0, 1] } },
  delete: { '#EBID': { hasEbid: true, words: [2, 2] } },
};
const keywords = new Set(Object.values(forms).flatMap((form) => Object.keys(form)));

/** Reads the input. Throws INVALID_INPUT when a line with a known keyword is malformed or belongs to another function. */
export function parseInput(text: string, name: BackintFunction): BackintInput {
  let version: string | null = null;
  const items: BackintItem[] = [];
  for (const line of text.split(/\r?\n/)) {
    const keyword = /^#[^ \t]*/.exec(line)?.[0] ?? '';
    if (keyword === '#SOFTWAREID') version = readVersion(line);
    else if (keywords.has(keyword)) items.push(readItem(line, forms[name][keyword], name));
  }
  return { version, items };
}

function readItem(line: string, form: LineForm | undefined, name: BackintFunction): BackintItem {
  const words = splitWords(line).slice(1);
  // A character that is no UTF-8 would be the name of another file.
  const isFit = form && words.length >= form.words[0] && words.length <= form.words[1] && !line.includes('\ufffd');
  if (!isFit || words.some((word) => word.value === '' || word.value.includes('\0'))) throw malformedLine(line);
  const ebid = form.hasEbid ? (words.shift()?.value ?? null) : null;
  const [file = null, second = null] = words;
  if (name === 'backup' && second && !/^\d+$/.test(second.value)) throw malformedLine(line);
  return { ebid, file, destination: name === 'restore' ? (second?.value ?? null) : null };
}

function readVersion(line: string): string {
  const version = /^backint +(\d+\.\d+)$/i.exec(splitWords(line)[1]?.value ?? '')?.[1];
  if (version === undefined) throw malformedLine(line);
  return version;
}
