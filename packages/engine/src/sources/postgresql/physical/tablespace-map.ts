/** `tablespace_map`: where the tablespaces of a backup lay, a line for each; recovery makes links from it. */

export interface Tablespace {
  readonly oid: string;
  readonly location: string;
}

export function parseTablespaceMap(text: string): Tablespace[] {
  // A line feed in a path is written with a backslash before it.
  const lines = text.match(/(?:\\[\s\S]|[^\n\\])+/g) ?? [];
  return lines.flatMap((line) => {
    const match = /^(\d+) ([\s\S]+)$/.exec(line);
    return match ? [{ oid: match[1] ?? '', location: (match[2] ?? '').replace(/\\([\s\S])/g, '$1') }] : [];
  });
}

export function formatTablespaceMap(tablespaces: readonly Tablespace[]): string {
  return tablespaces.map(({ oid, location }) => `${oid} ${location.replace(/[\\\n\r]/g, '\\$&')}\n`).join('');
}

/** Each at its new place by the lines `/old=/new`; the others where they were. Unused lines are answered too. */
export function relocate(
  tablespaces: readonly Tablespace[],
  lines: readonly string[],
): { readonly moved: Tablespace[]; readonly unused: string[] } {
  const used = new Set<string>();
  const moved = tablespaces.map(({ oid, location }) => {
    const line = lines.find((item) => item.startsWith(`${location}=/`));
    if (line === undefined) return { oid, location };
    used.add(line);
    return { oid, location: line.slice(location.length + 1).replace(/(?<=.)\/+$/, '') };
  });
  return { moved, unused: lines.filter((line) => !used.has(line)) };
}
