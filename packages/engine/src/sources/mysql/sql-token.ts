/** What the lexer of SQL tells. */
export type TokenKind = 'word' | 'name' | 'text' | 'sign';
export interface Token {
  readonly kind: TokenKind;
  /** Unquoted; texts and long words are cut. */
  readonly value: string;
  /** Inside a comment for one version only. */
  readonly isConditional: boolean;
  /** Where it begins and ends in the buffer, when it does not lie across two. */
  readonly start: number;
  readonly end: number;
}

export interface LexerEvents {
  /** Only while `wantsTokens`. */
  onToken(token: Token): void;
  /** An opening bracket at depth 0, at `at`, while there are no tokens wanted. */
  onGroup(at: number): void;
  /** `-- …`, without the dashes, outside of statements and in them. `end`: behind its line feed. */
  onComment(text: string, start: number, end: number): void;
  /** Behind the delimiter, at `end`. */
  onDelimiter(end: number): void;
  /** A line `DELIMITER x`, with its line feed. */
  onDelimiterLine(end: number): void;
}
