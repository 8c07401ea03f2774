/** SQL as text: names and values as literals that no setting of a server reads in another way, and answers of a client. */

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

/** Name of a database as a name in a folder. */
export function folderName(database: string): string {
  if (database === '.' || database === '..' || database === GRANTS_FILE) return database.replaceAll('.', '%2E');
  return database.replace(/[/%\0]/g, (character) => encodeURIComponent(character));
}

/** The way back. */
export function databaseName(folder: string): string {
  return folder.replace(/%(2F|25|00|2E)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Lies beside the folders of the databases. */
export const GRANTS_FILE = 'grants.sql';

/** Order of names in a folder, as archives and repositories have them: by bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
