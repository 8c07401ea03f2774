import { userInfo } from 'node:os';

/** The account this process runs as, for snapshots, locks and keys. It may have no name, in containers above all. */
export function ownUser(): { username: string; uid: number; gid: number } {
  const uid = Math.max(0, process.getuid?.() ?? 0);
  const gid = Math.max(0, process.getgid?.() ?? 0);
  try {
    return { username: userInfo().username, uid, gid };
  } catch {
    return { username: String(uid), uid, gid };
  }
}
