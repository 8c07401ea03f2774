/** Roles of a server, from `globals.sql`: only those that are missing are made, and nothing of others is changed. */
import { meaningfulTokens, nameOfToken, quoteName, splitStatements } from './sql-text.ts';

/** A role for owners and privileges to name before its own statements have come; nobody can log in as it. */
export function placeholderStatement(role: string): string {
  return `CREATE ROLE ${quoteName(role)} NOLOGIN;`;
}

/** Names of all roles that the file makes. */
export function rolesInGlobals(sql: string): string[] {
  return splitStatements(sql).flatMap((statement) => {
    const tokens = meaningfulTokens(statement);
    const name = /^CREATE ROLE\b/i.test(statement) ? nameOfToken(tokens[2]) : null;
    return name === null ? [] : [name];
  });
}

/** Statements of the file that are about one of `roles`: attributes with passwords, settings, memberships, comments. */
export function statementsFor(sql: string, roles: ReadonlySet<string>): string[] {
  const own = splitStatements(sql).filter((statement) => {
    const tokens = meaningfulTokens(statement);
    const name = (at: number) => nameOfToken(tokens[at]) ?? '';
    if (/^ALTER ROLE\b/i.test(statement)) return roles.has(name(2));
    if (/^COMMENT ON ROLE\b/i.test(statement)) return roles.has(name(3));
    const to = tokens.findIndex((token) => /^to$/i.test(token));
    // `GRANT a TO b`; privileges on tablespaces and settings have an ON.
    const isMembership = /^GRANT\b/i.test(statement) && to === 2;
    return isMembership && (roles.has(name(1)) || roles.has(name(3)));
  });
  // Whoever granted it there need not be here.
  return own.map((statement) => statement.replace(/ GRANTED BY ("(?:[^"]|"")*"|[\w$]+)$/, ''));
}
