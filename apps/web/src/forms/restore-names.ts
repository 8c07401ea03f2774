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

/** The name a database gets by the `old=new` lines. */
export function nameAfter(name: string, rename: unknown): string {
  const lines = Array.isArray(rename) ? rename.map(String) : [];
  const line = lines.find((one) => one.startsWith(`${name}=`));
  return line === undefined ? name : line.slice(name.length + 1).trim();
}
