import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ItemProblem } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CRC64_JONES, Crc64 } from '../../ports/crc64.ts';
import { formatInventory } from '../../ports/database-inventory.ts';
import type { RestoreContext } from '../../ports/source.ts';
import { folderEntry, textEntry } from '../../ports/stream-entry.ts';
import { redisConfigSchema } from './config.ts';
import { openRestoreSession } from './restore-session.ts';

let folder: string;
let problems: ItemProblem[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'redis-restore-'));
  problems = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...names: string[]) => join(folder, ...names);
/** Two keys in database 3. */
const dump = (() => {
  const body = Buffer.from('REDIS0011\xfe\x03\x00\x01a\x01b\x00\x01c\x01d\xff', 'latin1');
  const crc = new Crc64(CRC64_JONES);
  crc.update(body);
  return Buffer.concat([body, crc.digest()]);
})();
const inventoryOf = (rows: number) =>
  formatInventory({
    ...{ format: 1, server: 'Redis', tool: '', database: '', details: {} },
    objects: [{ kind: 'database', name: 'db3', rows }],
  });

async function restore(more: Partial<RestoreContext>, { bytes = dump, rows = 2 } = {}) {
  const context: RestoreContext = {
    ...{ signal: new AbortController().signal, targetPath: null, paths: null, overwrite: 'always', options: {} },
    ...{ tempDir: at('temp'), problem: (problem) => problems.push(problem), log() {}, progress() {}, ...more },
  };
  const session = await openRestoreSession(redisConfigSchema.parse({ dbPort: 1 }), context);
  const modifiedAt = new Date(0);
  async function* content(chunks: Uint8Array[]) {
    yield* chunks;
  }
  const file = (path: string, chunk: Uint8Array) =>
    session.write({
      ...textEntry({ path, modifiedAt, text: '' }),
      ...{ sizeBytes: chunk.byteLength, segments: null, content: content([chunk]) },
    });
  try {
    const top = folderEntry({ path: '/redis', modifiedAt });
    await session.write({ ...top, sizeBytes: 0, segments: null, content: null });
    await file('/redis/dump.rdb', bytes);
    await file('/redis/inventory.json', Buffer.from(inventoryOf(rows)));
    return await session.commit();
  } catch (error) {
    await session.rollback();
    throw error;
  }
}

describe('a restore of a dump', () => {
  it('writes it below a folder, and over another one only where that is allowed', async () => {
    expect(await restore({ targetPath: folder })).toMatchObject({ itemsWritten: 1, bytesWritten: dump.length });
    expect(readFileSync(at('redis/dump.rdb'))).toEqual(dump);
    writeFileSync(at('redis/dump.rdb'), 'mine');
    for (const overwrite of ['never', 'if_newer'] as const) {
      for (const isDryRun of [false, true]) {
        const running = restore({ targetPath: folder, overwrite, isDryRun });
        await expect(running).resolves.toMatchObject({ itemsWritten: 0, itemsSkipped: 1 });
      }
    }
    expect(readFileSync(at('redis/dump.rdb'), 'utf8')).toBe('mine');
    expect(readdirSync(at('redis'))).toEqual(['dump.rdb']);
  });

  it('leaves no trace when it is cut, changed, or not what its inventory says', async () => {
    const changed = Buffer.from(dump);
    changed[14] = 0x7a;
    for (const wrong of [{ bytes: dump.subarray(0, -1) }, { bytes: changed }, { rows: 3 }]) {
      await expect(restore({ targetPath: folder }, wrong)).rejects.toMatchObject({ code: 'DATABASE_DUMP_DAMAGED' });
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('replaces the file of a stopped server with one its owner can read, and keeps the old one', async () => {
    const dumpPath = at('dump.rdb');
    expect(await restore({ options: { dumpPath } })).toMatchObject({ itemsWritten: 1 });
    await expect(restore({ options: { dumpPath } })).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    writeFileSync(at('appendonly.aof'), '');
    writeFileSync(dumpPath, 'mine');
    await restore({ options: { dumpPath, replaceExisting: true } });
    expect(problems).toMatchObject([
      { path: dumpPath, message: expect.stringContaining('appendonly.aof is beside it') },
    ]);
    await expect(restore({ options: { dumpPath: at('none/dump.rdb') } })).rejects.toMatchObject({
      code: 'RESTORE_TARGET_INVALID',
    });
    // What was there is kept beside it.
    const names = readdirSync(folder).sort();
    expect(names).toEqual(['appendonly.aof', 'dump.rdb', expect.stringMatching(/^dump\.rdb\.replaced-\d{14}$/)]);
    expect(readFileSync(at(names[2] ?? ''), 'utf8')).toBe('mine');
  });

  it('writes nothing in a dry run', async () => {
    expect(await restore({ targetPath: folder, isDryRun: true })).toMatchObject({ itemsWritten: 1, bytesWritten: 0 });
    expect(existsSync(at('redis'))).toBe(false);
    const dumpPath = at('dump.rdb');
    expect(await restore({ isDryRun: true, options: { dumpPath } })).toMatchObject({ itemsWritten: 1 });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says in a dry run what would stop it', async () => {
    const dumpPath = at('dump.rdb');
    writeFileSync(dumpPath, 'mine');
    const there = restore({ isDryRun: true, options: { dumpPath } });
    await expect(there).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    // Nobody is there, and perhaps there is no program to load it with.
    const code = expect.stringMatching(/^DATABASE_(UNREACHABLE|TOOL_MISSING)$/);
    await expect(restore({ isDryRun: true })).rejects.toMatchObject({ code });
    expect([readdirSync(folder), readFileSync(dumpPath, 'utf8')]).toEqual([['dump.rdb'], 'mine']);
  });
});
