/** SQL as text: names and values are data, and statements of a dump are cut apart where they really end. */

/** A string literal that means exactly `value`, whatever the server's settings. */
export function quoteLiteral(value: string): string {
  const doubled = value.replaceAll("'", "''");
  return value.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A name as people read it: quoted only where it must be. Not for SQL (keywords). */
export function displayName(...parts: readonly string[]): string {
  return parts.map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : quoteName(part))).join('.');
}

/** A value in a connection string. */
export function quoteConninfo(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Quoted names, literals (with and without E), dollar quotes, comments, words, and single characters. */
const TOKEN =
  /"(?:[^"]|"")*"|[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|(\$[A-Za-z_0-9]*\$)[\s\S]*?\1|--[^\n]*|[\p{L}_][\p{L}\p{N}_$]*|\s+|[\s\S]/gu;

/** The parts of a text, none lost: joined they are the text again. */
export function tokenize(sql: string): string[] {
  return sql.match(TOKEN) ?? [];
}

/** Statements without their semicolon; comments and lines for psql (`\connect`) are left out. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let current = '';
  for (const token of tokenize(sql.replace(/^\\[^\n]*\n/gm, ''))) {
    if (token === ';') {
      if (current.trim() !== '') statements.push(current.trim());
      current = '';
    } else if (!token.startsWith('--')) current += token;
  }
  if (current.trim() !== '') statements.push(current.trim());
  return statements;
}

/** The name a token stands for; null when it is none. */
export function nameOfToken(token: string | undefined): string | null {
  if (token === undefined) return null;
  if (token.startsWith('"')) return token.slice(1, -1).replaceAll('""', '"');
  return /^[\p{L}_]/u.test(token) && !/^[eE]'/.test(token) ? token : null;
}

/** Words, names and signs of a statement without the spaces between them. */
export function meaningfulTokens(sql: string): string[] {
  return tokenize(sql).filter((token) => token.trim() !== '' && !token.startsWith('--'));
}

/** The same statement for another database: the name after the word DATABASE is replaced. */
export function renameDatabaseIn(statement: string, to: string): string {
  const tokens = tokenize(statement);
  const at = tokens.findIndex((token) => token.toUpperCase() === 'DATABASE');
  if (at < 0) return statement;
  const nameAt = tokens.findIndex((token, index) => index > at && token.trim() !== '');
  return [...tokens.slice(0, nameAt), quoteName(to), ...tokens.slice(nameAt + 1)].join('');
}

/** Roles that statements name after TO or FROM (privileges, policies) or FOR ROLE (default privileges). */
export function granteesOf(sql: string): string[] {
  const roles = splitStatements(sql).flatMap((statement) => {
    const tokens = meaningfulTokens(statement);
    if (!/^(grant|revoke|alter|create)$/i.test(tokens[0] ?? '')) return [];
    return tokens.flatMap((token, index) => namesAfter(token, tokens.slice(index + 1)));
  });
  return [...new Set(roles)];
}

/** A list of names behind a word that such a list follows. */
function namesAfter(word: string, tokens: readonly string[]): string[] {
  const isForRole = /^for$/i.test(word) && /^role$/i.test(tokens[0] ?? '');
  if (!isForRole && !/^(to|from)$/i.test(word)) return [];
  const names: string[] = [];
  for (let at = isForRole ? 1 : 0; ; at += 2) {
    const name = nameOfToken(tokens[at]);
    if (name !== null && !/^(public|current_user|session_user)$/i.test(tokens[at] ?? '')) names.push(name);
    if (tokens[at + 1] !== ',') return names;
  }
}
