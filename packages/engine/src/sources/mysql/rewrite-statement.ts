/** Statements of a dump under other names: what they say of their own database, of their definer, of running at once. */
import { SqlLexer } from './sql-lexer.ts';
import { quoteName } from './sql-text.ts';
import type { Token } from './sql-token.ts';
import { type Statement, upper } from './statement.ts';

export interface RewriteOptions {
  /** Names of databases and what they are called now. */
  readonly names: ReadonlyMap<string, string>;
  readonly definer: 'keep' | 'current';
  /** True: events are made, but do not run. */
  readonly isProof: boolean;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Answers the text with all that needs changing changed. */
export function rewriteStatement(bytes: Buffer, statement: Statement, options: RewriteOptions): Buffer {
  const { verb, object } = statement;
  if (verb === 'DELIMITER' || verb === 'SET' || verb === 'DROP') return bytes;
  const tokens = tokensOf(bytes);
  if (verb === 'ALTER') return applyEdits(bytes, object === 'DATABASE' ? renameDatabase(tokens, options) : []);
  return verb === 'CREATE' ? applyEdits(bytes, editCreation(tokens, object, options)) : bytes;
}

function editCreation(tokens: readonly Token[], object: string, options: RewriteOptions): Edit[] {
  const edits = options.definer === 'current' ? dropDefiner(tokens) : [];
  if (object === 'TABLE' || (object === 'VIEW' && namesDatabases(tokens))) {
    edits.push(...renameQualifiers(tokens, options));
  } else if (object === 'VIEW') {
    edits.push(...renameQualifiers(tokens, options, isOfColumn));
  }
  if (object === 'TRIGGER') edits.push(...dropQualifiers(tokens));
  if (object === 'EVENT' && options.isProof) edits.push(...disable(tokens));
  return edits;
}

/** True when it names one of these databases, and goes on naming it as it is. */
export function mentions(bytes: Buffer, databases: ReadonlySet<string>): boolean {
  return qualifiersOf(tokensOf(bytes)).some(({ value }) => databases.has(value));
}

function tokensOf(bytes: Buffer): Token[] {
  const tokens: Token[] = [];
  const ignore = () => {};
  const lexer = new SqlLexer({
    onToken: (token) => tokens.push(token),
    onGroup: ignore,
    onComment: ignore,
    onDelimiter: ignore,
    onDelimiterLine: ignore,
  });
  lexer.push(bytes, true);
  return tokens;
}

function applyEdits(bytes: Buffer, edits: Edit[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(at, start), Buffer.from(text));
    at = end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

const isIdentifier = (token: Token | undefined): boolean => token?.kind === 'name' || token?.kind === 'word';
const isDot = (token: Token | undefined): boolean => token?.kind === 'sign' && token.value === '.';

/** First parts of names with dots in them. */
function qualifiersOf(tokens: readonly Token[]): Token[] {
  return tokens.filter(
    (token, index) =>
      isIdentifier(token) && isDot(tokens[index + 1]) && isIdentifier(tokens[index + 2]) && !isDot(tokens[index - 1]),
  );
}

/**
 * The server writes the names of databases into all of a view or into none of it, but for one whose definer is gone: its
 * columns have them and its tables do not. In one without, the first part of two is the name of a table, which may be
 * called as the database is.
 */
function namesDatabases(tokens: readonly Token[]): boolean {
  const qualifiers = new Set(qualifiersOf(tokens));
  return tokens.some((token, index) => {
    if (!/^(?:FROM|JOIN)$/.test(upper(token))) return false;
    let at = index + 1;
    while (tokens[at]?.kind === 'sign' && tokens[at]?.value === '(') at += 1;
    const first = tokens[at];
    return first !== undefined && qualifiers.has(first);
  });
}

/** True for the first of three parts. */
function isOfColumn(qualifier: Token, tokens: readonly Token[]): boolean {
  const at = tokens.indexOf(qualifier);
  return isDot(tokens[at + 3]) && isIdentifier(tokens[at + 4]);
}

/** The server writes these names itself, always in quotes. */
function renameQualifiers(
  tokens: readonly Token[],
  { names }: RewriteOptions,
  isMeant: typeof isOfColumn = () => true,
): Edit[] {
  const qualifiers = qualifiersOf(tokens).filter((token) => isMeant(token, tokens));
  return qualifiers.flatMap(({ kind, value, start, end }) => {
    const name = kind === 'name' ? names.get(value) : undefined;
    return name === undefined ? [] : [{ start, end, text: quoteName(name) }];
  });
}

function renameDatabase(tokens: readonly Token[], { names }: RewriteOptions): Edit[] {
  const token = tokens.find(({ kind }) => kind === 'name');
  const name = token && names.get(token.value);
  return token && name !== undefined ? [{ start: token.start, end: token.end, text: quoteName(name) }] : [];
}

/** A trigger is kept as its author wrote it: `TRIGGER shop.t BEFORE INSERT ON shop.orders`. It is where its table is. */
function dropQualifiers(tokens: readonly Token[]): Edit[] {
  const at = tokens.findIndex((token) => upper(token) === 'TRIGGER');
  const on = tokens.findIndex((token, index) => index > at && upper(token) === 'ON');
  const header = tokens.slice(at, on + 4);
  const dropped = qualifiersOf(header).filter((token) => header.indexOf(token) <= 5 || token === tokens[on + 1]);
  return dropped.map((token) => {
    const dot = tokens[tokens.indexOf(token) + 1];
    return { start: token.start, end: dot?.end ?? token.end, text: '' };
  });
}

const OBJECT_WORDS = new Set(['VIEW', 'TRIGGER', 'PROCEDURE', 'FUNCTION', 'EVENT', 'PACKAGE']);

function dropDefiner(tokens: readonly Token[]): Edit[] {
  const at = tokens.findIndex((token) => upper(token) === 'DEFINER');
  const object = tokens.findIndex((token) => OBJECT_WORDS.has(upper(token)));
  if (at === -1 || at > object || tokens[at + 1]?.value !== '=') return [];
  const hasHost = tokens[at + 3]?.kind === 'sign' && tokens[at + 3]?.value === '@';
  const last = tokens[hasHost ? at + 4 : at + 2];
  const start = tokens[at]?.start ?? 0;
  return last ? [{ start, end: last.end, text: '' }] : [];
}

/** `… ON COMPLETION NOT PRESERVE ENABLE …`: the server always says both. */
function disable(tokens: readonly Token[]): Edit[] {
  const at = tokens.findIndex((token) => upper(token) === 'PRESERVE');
  const token = tokens[at + 1];
  if (at === -1 || !token || upper(token) !== 'ENABLE') return [];
  return [{ start: token.start, end: token.end, text: 'DISABLE' }];
}
