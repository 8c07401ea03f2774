import type { FoundItem } from '../../api/types.ts';

/** A part of a name is enough for a person; who writes a glob sign or a slash means it exactly. */
export function patternFor(typed: string): string {
  const text = typed.trim();
  return text === '' || /[*?[\]/\\]/.test(text) ? text : `*${text}*`;
}

/** Versions of each path, newest first; paths in the order they were found. */
export function groupByPath(hits: readonly FoundItem[]): readonly (readonly [string, readonly FoundItem[]])[] {
  const groups = new Map<string, FoundItem[]>();
  for (const hit of hits) {
    const found = groups.get(hit.path);
    if (found) found.push(hit);
    else groups.set(hit.path, [hit]);
  }
  for (const versions of groups.values()) {
    versions.sort((a, b) => (b.modifiedAt ?? '').localeCompare(a.modifiedAt ?? ''));
  }
  return [...groups];
}
