/** A disk that runs full for real: a small file system in memory, mounted for the test. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localDisk } from '../../packages/engine/src/storages/local-disk.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
const mountPoint = mkdtempSync(path.join(tmpdir(), 'backupx-full-disk-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'backupx-tests', mountPoint]);
const whyNot = mounted.status === 0 ? null : `mounting is not permitted here: ${mounted.stderr ?? mounted.error}`;
if (whyNot) console.log(`skipped: local disk that runs full: ${whyNot}`);

async function* megabytes(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(MIB, i);
}

afterAll(() => {
  if (!whyNot) spawnSync('umount', [mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

describe.skipIf(whyNot)(`local disk that runs full${whyNot ? ` (${whyNot.trim()})` : ''}`, () => {
  const base = path.join(mountPoint, 'base');
  const storage = localDisk.create({ basePath: base, masterRelay: false });
  const files = () => readdirSync(base, { recursive: true }).map(String).sort();
  beforeAll(() => storage.put('kept/old', megabytes(2), { signal }));

  it('says STORAGE_FULL midway and leaves nothing new', async () => {
    await expect(storage.put('new/folder/big', megabytes(20), { signal })).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    });
    expect(files()).toEqual(['kept', 'kept/old']);
  });

  it('keeps the old object when its successor does not fit', async () => {
    await expect(storage.put('kept/old', megabytes(20), { signal })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect((await storage.stat('kept/old', signal)).sizeBytes).toBe(2 * MIB);
    expect(files()).toEqual(['kept', 'kept/old']);
  });

  it('says so before it starts when the size is known', async () => {
    let isPulled = false;
    const body = async function* () {
      isPulled = true;
      yield* megabytes(20);
    };
    const sizeBytes = 20 * MIB;
    await expect(storage.put('known', body(), { signal, sizeBytes })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(isPulled).toBe(false);
  });

  it('takes what fits afterwards', async () => {
    await storage.put('fits', megabytes(4), { signal, sizeBytes: 4 * MIB });
    expect((await storage.usage?.(signal))?.freeBytes).toBeLessThan(3 * MIB);
  });

  it('says STORAGE_PERMISSION on a read-only file system', async () => {
    expect(spawnSync('mount', ['-o', 'remount,ro', mountPoint]).status).toBe(0);
    await expect(storage.put('later', megabytes(1), { signal })).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' });
    await expect(storage.delete('fits', signal)).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' });
  });
});
