/** File modes: restic stores Go's `os.FileMode`, which has bits of its own for what Unix keeps above the permissions. */

/** Kinds of items in a tree. A socket is not backed up, but old repositories hold some. */
export type NodeType = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket' | 'irregular';

const GO_SETUID = 2 ** 23;
const GO_SETGID = 2 ** 22;
const GO_STICKY = 2 ** 20;
const UNIX_SETUID = 0o4000;
const UNIX_SETGID = 0o2000;
const UNIX_STICKY = 0o1000;

const GO_TYPES: Readonly<Record<string, number>> = {
  file: 0,
  dir: 2 ** 31,
  symlink: 2 ** 27,
  dev: 2 ** 26,
  chardev: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  irregular: 2 ** 19,
};

/** Go's number for permission bits (0o7777: with setuid, setgid and sticky) and a type. */
export function toGoMode(permissions: number, type: NodeType): number {
  let mode = (GO_TYPES[type] ?? 0) + (permissions & 0o777);
  if ((permissions & 0o7000) === 0) return mode;
  if (permissions & UNIX_SETUID) mode += GO_SETUID;
  if (permissions & UNIX_SETGID) mode += GO_SETGID;
  if (permissions & UNIX_STICKY) mode += GO_STICKY;
  return mode;
}

/** The permission bits (0o7777) in Go's number. */
export function fromGoMode(mode: number): number {
  const special =
    (mode & GO_SETUID ? UNIX_SETUID : 0) | (mode & GO_SETGID ? UNIX_SETGID : 0) | (mode & GO_STICKY ? UNIX_STICKY : 0);
  return (mode & 0o777) | special;
}
