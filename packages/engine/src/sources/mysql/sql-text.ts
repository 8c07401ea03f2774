/** SQL as text: names and values as literals that no setting of a server reads in another way, and answers of a client. */

import { folderOfDatabase } from '../../ports/database-names.ts';

/** A name in backticks. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text as a literal, whatever quotes, backslashes and SQL mode. */
export function quoteText(text: string): string {
  return `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'`;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** Rows of a client in batch mode: columns between tabs, with backslash escapes. */
export function parseRows(output: string): string[][] {
  const lines = output.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) =>
    line.split('\t').map((cell) => cell.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter)),
  );
}

/** What a server puts before names of folders and files that are not encoded: of no use for what is made anew. */
export const UNENCODED = '#mysql50#';

/** Lies beside the folders of the databases. */
export const GRANTS_FILE = 'grants.sql';

/** Name of a database as a name in a folder. */
export const folderName = (database: string): string => folderOfDatabase(database, [GRANTS_FILE]);
