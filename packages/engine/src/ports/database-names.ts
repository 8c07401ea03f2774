/** Names of databases: which are chosen, in what order, and what they are called in a folder and after a restore. */

export interface DatabaseChoice {
  /** In the order of an archive. */
  readonly names: string[];
  /** Asked for by name and not there. */
  readonly missing: string[];
}

/** Those that are to be dumped: all, or the ones that are named; less those that a pattern leaves out. */
export function chooseDatabases(
  all: readonly string[],
  { databases, excludeDatabases }: { databases: readonly string[]; excludeDatabases: readonly string[] },
): DatabaseChoice {
  const there = new Set(all);
  const wanted = databases.length === 0 ? all : [...new Set(databases)];
  const patterns = excludeDatabases.map(patternOf);
  const names = wanted.filter((name) => there.has(name) && !patterns.some((pattern) => pattern.test(name)));
  return { names: [...names].sort(byBytes), missing: wanted.filter((name) => !there.has(name)) };
}

/** `*` and `?` stand for other characters. */
function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}

/** Order of names in a folder, as archives and repositories have them: by bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

/** Name of a database as a name in a folder, where `reserved` names are those of other things. */
export function folderOfDatabase(database: string, reserved: readonly string[]): string {
  if (database === '.' || database === '..' || reserved.includes(database)) return database.replaceAll('.', '%2E');
  return database.replace(/[/%\0]/g, (character) => encodeURIComponent(character));
}

/** The way back. */
export function databaseOfFolder(folder: string): string {
  return folder.replace(/%(2F|25|00|2E)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `old=new` lines as a map. A name with `=` in it is written `\=`. */
export function parseRenames(lines: readonly string[]): Map<string, string> {
  const renames = new Map<string, string>();
  for (const line of lines) {
    const match = /^((?:[^=\\]|\\.)+)=(.+)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined)
      renames.set(withoutEscapes(match[1]), withoutEscapes(match[2]));
  }
  return renames;
}

const withoutEscapes = (text: string): string => text.replace(/\\([=\\])/g, '$1');
