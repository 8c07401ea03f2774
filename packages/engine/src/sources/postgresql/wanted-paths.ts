/** True when `path` or a folder above it was chosen; null: everything was. */
export function isWantedPath(path: Uint8Array, wanted: readonly string[] | null): boolean {
  if (wanted === null) return true;
  const text = `/${Buffer.from(path).toString('utf8').replace(/^\/+/, '')}`;
  return wanted.some((item) => {
    const clean = item.replace(/\/+$/, '');
    return text === clean || text.startsWith(`${clean}/`);
  });
}

/** The path of the folder it is in. */
export function parentOf(path: Uint8Array): Uint8Array {
  return path.subarray(0, Math.max(0, path.lastIndexOf(0x2f)));
}
