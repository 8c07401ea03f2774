/** The files that SQLite keeps beside a database: write-ahead log, its index in shared memory, rollback journal. */
export const SIDECAR_SUFFIXES = ['-wal', '-shm', '-journal'] as const;

/** The database a file of this name would belong to, or null. */
export function ownerOfSidecar(path: string): string | null {
  const suffix = SIDECAR_SUFFIXES.find((end) => path.endsWith(end));
  return suffix ? path.slice(0, -suffix.length) : null;
}
