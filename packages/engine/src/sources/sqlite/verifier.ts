/** Proves that databases can be restored: each is written to a private folder and checked there as a restore would. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { readText } from '../../ports/entry-content.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../ports/source.ts';
import { checkCopy, joinFindings } from './check-copy.ts';
import { databaseOfInventory, originalPathOf } from './entry-paths.ts';
import { countRows } from './list-objects.ts';
import { openCopy } from './open-database.ts';
import { sqliteReason } from './sqlite-errors.ts';

type Checks = Awaited<ReturnType<Verifier['finish']>>;
type Check = Checks[number];
type Objects = ReturnType<typeof countRows>;

/** See above. `deep` adds indexes, foreign keys and the rows of each table. */
export function openSqliteVerifier({ tempDir, depth, signal }: VerifyContext): Verifier {
  const folder = new SecretFolder(tempDir);
  const copyPath = join(folder.path, 'copy');
  const checks: Check[] = [];
  /** What each database holds, until its inventory comes by. */
  const found = new Map<string, Objects>();

  async function writeDatabase(path: string, entry: RestoreEntry): Promise<void> {
    try {
      await writeCopy(copyPath, entry, signal);
      found.set(path, checkWritten(path));
    } catch (error) {
      if (typeof (error as { errcode?: unknown }).errcode !== 'number') throw error;
      checks.push({ subject: path, name: 'structure', ok: false, detail: sqliteReason(error) });
    } finally {
      rmSync(copyPath, { force: true });
    }
  }

  function checkWritten(path: string): Objects {
    const copy = openCopy(copyPath);
    try {
      const { damage, violations, unchecked } = checkCopy(copy, depth === 'deep' ? 'full' : 'quick');
      const detail = joinFindings([...damage, ...violations, ...unchecked]);
      checks.push({ subject: path, name: depth === 'deep' ? 'engine' : 'structure', ok: damage.length === 0, detail });
      return damage.length > 0 ? [] : countRows(copy);
    } finally {
      copy.close();
    }
  }

  async function compare(path: string, entry: RestoreEntry): Promise<void> {
    const expected = parseInventory(entry.content ? await readText(entry.content) : '').objects;
    const missing = missingObjects(expected, found.get(path) ?? []);
    found.delete(path);
    const detail = missing.length > 0 ? joinFindings(missing) : `${expected.length} object(s) as when it was backed up`;
    checks.push({ subject: path, name: 'rows', ok: missing.length === 0, detail });
  }

  return {
    async write(entry) {
      const path = originalPathOf(entry.path);
      if (!path || entry.type !== 'file') return;
      const owner = databaseOfInventory(path);
      if (owner === null) await writeDatabase(path, entry);
      else await compare(owner, entry);
    },
    finish: async () => checks,
    close: async () => folder.remove(),
  };
}

async function writeCopy(path: string, entry: RestoreEntry, signal: AbortSignal): Promise<void> {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for await (const chunk of entry.content ?? []) {
      signal.throwIfAborted();
      for (let done = 0; done < chunk.byteLength; ) done += writeSync(fd, chunk, done);
    }
  } finally {
    closeSync(fd);
  }
}
