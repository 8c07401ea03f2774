/** The known name that somebody most likely meant, for messages about unknown settings. */

/** Edit distance (Levenshtein) between two short words. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replace, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The known name that looks most like `name`, ignoring case and separators. */
export function nearestName(name: string, known: readonly string[]): string {
  const plain = (word: string) => word.toLowerCase().replace(/[-_]/g, '');
  const ranked = known.map((word) => ({ word, distance: editDistance(plain(name), plain(word)) }));
  ranked.sort((a, b) => a.distance - b.distance);
  return ranked[0]?.word ?? '';
}
