/** The known name that somebody most likely meant. */

/** Edits (insert, delete, replace) that turn one text into the other. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const replace = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next[j] = Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

export function nearestName(name: string, known: readonly string[]): string {
  const ranked = known.map((one) => ({ one, edits: distance(name, one) })).sort((a, b) => a.edits - b.edits);
  return ranked[0]?.one ?? '';
}
