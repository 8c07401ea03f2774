/** True for an entry that was chosen, or lies below one that was; null: all were. */
export function isWanted(path: string, paths: readonly string[] | null): boolean {
  if (paths === null) return true;
  const clean = path.replace(/^\/*/, '/');
  return paths.some((wanted) => {
    const chosen = wanted.replace(/\/+$/, '');
    return clean === chosen || clean.startsWith(`${chosen}/`);
  });
}
