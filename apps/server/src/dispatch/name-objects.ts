/** Names of artifacts in a storage: readable, safe on every storage, and never shared by two attempts. */

const MAX_NAME = 60;

/** ASCII letters, digits, dot, dash, underscore; never empty, never starting with a dot. */
export function safeTaskName(name: string): string {
  const safe = name
    .normalize('NFKD')
    // Accents, which NFKD has parted from their letters.
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '')
    .slice(0, MAX_NAME)
    .replace(/[-._]+$/g, '');
  return safe === '' ? 'task' : safe;
}

/** Folder of one attempt; the record id in it is the fence between attempts. */
export function keyPrefixOf(task: { id: number; name: string }, recordId: number): string {
  return `${safeTaskName(task.name)}-${task.id}/r${recordId}`;
}

/** `<name>-20260131T120000Z`; the extension is the engine's. */
export function baseNameOf(taskName: string, startedAt: Date): string {
  const stamp = startedAt
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '');
  return `${safeTaskName(taskName)}-${stamp}`;
}
