/** What a statement of a dump does, told by its first words. */
import type { Token } from './sql-token.ts';

export type CreatedKind =
  | 'table'
  | 'view'
  | 'sequence'
  | 'trigger'
  | 'procedure'
  | 'function'
  | 'event'
  | 'package'
  | 'package body';

export interface Statement {
  /** First word in capitals; empty: there is none. */
  readonly verb: string;
  /** CREATE, ALTER, DROP: the word of what (`TABLE`, `DATABASE`); INSERT: `TABLE`. */
  readonly object: string;
  readonly name: string | null;
  /** Set for what a dump is to bring back: a CREATE that makes a thing for good. */
  readonly creates: CreatedKind | null;
  /** A stand-in for a view, which the end of the dump makes. */
  readonly isStandIn: boolean;
}

const OBJECTS = new Set('TABLE VIEW TRIGGER PROCEDURE FUNCTION EVENT SEQUENCE DATABASE SCHEMA PACKAGE'.split(' '));
/** More words than this stand before no name. */
const MAX_TOKENS = 40;

/** Tells the statement that begins with these words; null: more of them are needed. */
export function readStatement(tokens: readonly Token[], isWhole: boolean): Statement | null {
  const verb = upper(tokens[0]);
  const plain = { verb, object: '', name: null, creates: null, isStandIn: false };
  if (tokens.length === 0) return isWhole ? plain : null;
  if (verb === 'INSERT' || verb === 'REPLACE') return readInsert(tokens, isWhole);
  if (verb !== 'CREATE' && verb !== 'DROP' && verb !== 'ALTER') return plain;
  const at = tokens.findIndex((token, index) => index > 0 && token.kind === 'word' && OBJECTS.has(upper(token)));
  // The name, and one more word that shows that it ended there.
  const named = at === -1 ? null : nameAfter(tokens, at + 1, isWhole);
  if (!named) return isWhole || tokens.length > MAX_TOKENS ? plain : null;
  const isBody = upper(tokens[at]) === 'PACKAGE' && named.words.includes('BODY');
  const object = isBody ? 'PACKAGE BODY' : upper(tokens[at]);
  const statement = { ...plain, object, name: named.name };
  return verb === 'CREATE' ? { ...statement, ...creation(tokens, at, object) } : statement;
}

function creation(tokens: readonly Token[], at: number, object: string): Pick<Statement, 'creates' | 'isStandIn'> {
  // Old dumps stand a table in for a view, new ones a view without all that the definition of a real one names.
  const isStandIn =
    (object === 'VIEW' && !tokens.slice(0, at).some((token) => upper(token) === 'ALGORITHM')) ||
    (object === 'TABLE' && tokens[0]?.isConditional === true);
  const isThing = object !== 'DATABASE' && object !== 'SCHEMA' && !isStandIn;
  return { creates: isThing ? (object.toLowerCase() as CreatedKind) : null, isStandIn };
}

function readInsert(tokens: readonly Token[], isWhole: boolean): Statement | null {
  const at = tokens.findIndex((token) => upper(token) === 'INTO');
  const named = at === -1 ? null : nameAfter(tokens, at + 1, isWhole);
  if (!named && !isWhole && tokens.length <= MAX_TOKENS) return null;
  const name = named?.name ?? null;
  return { verb: upper(tokens[0]), object: 'TABLE', name, creates: null, isStandIn: false };
}

const BEFORE_NAME = new Set(['IF', 'NOT', 'EXISTS', 'BODY']);

function nameAfter(tokens: readonly Token[], from: number, isWhole: boolean): { name: string; words: string[] } | null {
  let at = from;
  const words: string[] = [];
  while (tokens[at]?.kind === 'word' && BEFORE_NAME.has(upper(tokens[at]))) {
    words.push(upper(tokens[at]));
    at += 1;
  }
  const first = tokens[at];
  if (!first || (tokens.length === at + 1 && !isWhole)) return null;
  if (tokens[at + 1]?.value !== '.' || tokens[at + 1]?.kind !== 'sign') return { name: first.value, words };
  const second = tokens[at + 2];
  return second ? { name: second.value, words } : null;
}

/** A word in capitals; empty for anything else. */
export function upper(token: Token | undefined): string {
  return token?.kind === 'word' ? token.value.toUpperCase() : '';
}
