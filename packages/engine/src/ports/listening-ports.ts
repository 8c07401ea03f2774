/** TCP ports that a process listens on, lowest first, as far as this user may see: root, or who runs the process. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENS = '0A';

/** Empty where nothing can be seen, or nothing is there. */
export function listeningPorts(pid: number): number[] {
  const sockets = socketsOf(pid);
  const ports = new Set<number>();
  for (const table of ['tcp', 'tcp6']) {
    // Of the network it is in, which may be that of a container.
    for (const line of readText(`/proc/${pid}/net/${table}`).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTENS && sockets.has(inode)) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16));
    }
  }
  return [...ports].sort((a, b) => a - b);
}

/** Inodes of the sockets it has open. */
function socketsOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  const names = attempt(() => readdirSync(folder)) ?? [];
  return new Set(
    names.flatMap(
      (name) => /^socket:\[(\d+)\]$/.exec(attempt(() => readlinkSync(`${folder}/${name}`)) ?? '')?.[1] ?? [],
    ),
  );
}

const readText = (path: string): string => attempt(() => readFileSync(path, 'utf8')) ?? '';

/** Null for what is gone, or another user's. */
function attempt<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
