import { readFileSync } from 'node:fs';

/** Names of local users and groups, both ways. A number without a name has the empty name. */
export interface OwnerNames {
  userName(uid: number): string;
  groupName(gid: number): string;
  userId(name: string): number | null;
  groupId(name: string): number | null;
}

/** Reads the two account files once. Accounts of a directory service are not in them: their numbers are kept. */
export function readOwnerNames(passwdFile = '/etc/passwd', groupFile = '/etc/group'): OwnerNames {
  const users = readAccounts(passwdFile);
  const groups = readAccounts(groupFile);
  return {
    userName: (uid) => users.names.get(uid) ?? '',
    groupName: (gid) => groups.names.get(gid) ?? '',
    userId: (name) => users.ids.get(name) ?? null,
    groupId: (name) => groups.ids.get(name) ?? null,
  };
}

function readAccounts(file: string): { names: Map<number, string>; ids: Map<string, number> } {
  const names = new Map<number, string>();
  const ids = new Map<string, number>();
  for (const line of readOptional(file).split('\n')) {
    const [name, , id] = line.split(':');
    if (!name || !id || !/^\d+$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
    if (!ids.has(name)) ids.set(name, Number(id));
  }
  return { names, ids };
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
