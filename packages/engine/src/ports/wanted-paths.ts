/** True for an entry that was chosen, or lies below one that was, with or without a slash before it; null: all were. */
export function isWanted(path: string | Uint8Array, paths: readonly string[] | null): boolean {
  if (paths === null) return true;
  const text = typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
  const clean = text.replace(/^\/*/, '/');
  return paths.some((wanted) => {
    const chosen = wanted.replace(/\/+$/, '');
    return clean === chosen || clean.startsWith(`${chosen}/`);
  });
}
