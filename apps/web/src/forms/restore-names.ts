/** The databases that a restore would replace, by what was chosen and the names they get. */

const decode = (name: string): string => {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
};

/** Names of chosen databases, from paths such as `/postgresql/shop/dump.pgc`; empty: all of them. */
export function chosenDatabases(paths: Iterable<string>): readonly string[] {
  const names = new Set<string>();
  for (const path of paths) {
    const name = path.split('/').filter(Boolean)[1];
    if (name === undefined) return [];
    names.add(decode(name));
  }
  return [...names];
}

/** The same where databases are files, from `/sqlite/srv/app.db`; empty also where a folder was chosen. */
export function chosenFiles(entries: Iterable<{ readonly path: string; readonly type: string }>): readonly string[] {
  const names = new Set<string>();
  for (const { path, type } of entries) {
    if (type !== 'file') return [];
    names.add(path.replace(/^\/[^/]*/, '').replace(/\.inventory\.json$/, ''));
  }
  return [...names];
}

const linesOf = (rename: unknown): string[] => (Array.isArray(rename) ? rename.map(String) : []);

/** The path a file gets by lines of files and folders; a path may hold `=` itself, so a line is cut where its left side fits. */
export function fileAfter(path: string, rename: unknown): string {
  for (const line of linesOf(rename).map((one) => one.trim())) {
    for (let cut = line.indexOf('=/'); cut >= 0; cut = line.indexOf('=/', cut + 1)) {
      const old = line.slice(0, cut).replace(/\/+$/, '');
      if (path !== old && !path.startsWith(`${old}/`)) continue;
      return line.slice(cut + 1).replace(/\/+$/, '') + path.slice(old.length);
    }
  }
  return path;
}

/** The name a database gets by the `old=new` lines. */
export function nameAfter(name: string, rename: unknown): string {
  const lines = linesOf(rename);
  const line = lines.find((one) => one.startsWith(`${name}=`));
  return line === undefined ? name : line.slice(name.length + 1).trim();
}
