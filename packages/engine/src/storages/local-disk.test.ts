import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Storage } from '../ports/storage.ts';
import { storageConformance } from '../testing/storage-conformance.ts';
import { localDisk } from './local-disk.ts';

const makeRoot = () => mkdtemp(join(tmpdir(), 'backupx-local-disk-'));
const NOBODY = 65534;
const signal = new AbortController().signal;
async function* bodyOf(text: string) {
  yield Buffer.from(text);
}

async function listKeys(storage: Storage): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of storage.list('', signal)) keys.push(object.key);
  return keys;
}

storageConformance('local_disk', async () => {
  const root = await makeRoot();
  return {
    storage: localDisk.create({ basePath: join(root, 'base'), masterRelay: false }),
    cleanup: () => rm(root, { recursive: true, force: true }),
  };
});

describe('local_disk', () => {
  let root: string;
  let base: string;
  const storage = () => localDisk.create({ basePath: base, masterRelay: false });
  const put = (key: string, text = 'x') => storage().put(key, bodyOf(text), { signal });
  beforeEach(async () => {
    root = await makeRoot();
    base = join(root, 'base');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('creates base and folders for their owner alone', async () => {
    await put('a/b/c');
    for (const path of ['', 'a', 'a/b']) expect((await stat(join(base, path))).mode & 0o777).toBe(0o700);
    expect((await stat(join(base, 'a/b/c'))).mode & 0o777).toBe(0o600);
  });

  it('refuses a base whose parent is missing, as when its disk is not mounted', async () => {
    const unmounted = localDisk.create({ basePath: join(root, 'disk/base'), masterRelay: false });
    const refused = { code: 'STORAGE_CONFIG' };
    await expect(unmounted.put('a', bodyOf('x'), { signal })).rejects.toMatchObject(refused);
    await expect(unmounted.stat('a', signal)).rejects.toMatchObject(refused);
    await expect(unmounted.delete('a', signal)).rejects.toMatchObject(refused);
    await expect(unmounted.list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
    expect(await readdir(root)).toEqual([]);
  });

  it('refuses a base that is a file', async () => {
    await writeFile(base, '');
    await expect(put('a')).rejects.toMatchObject({ code: 'STORAGE_CONFIG' });
  });

  it('follows no symbolic link below the base', async () => {
    await mkdir(join(root, 'outside'));
    await writeFile(join(root, 'outside/secret'), 'secret');
    await put('kept');
    await symlink(join(root, 'outside'), join(base, 'folder'));
    await symlink(join(root, 'outside/secret'), join(base, 'file'));
    const refused = { code: 'STORAGE_PERMISSION' };
    for (const key of ['folder/secret', 'file']) {
      await expect(storage().get(key, { signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
      await expect(storage().stat(key, signal)).rejects.toMatchObject(refused);
      await expect(storage().delete(key, signal)).rejects.toMatchObject(refused);
    }
    await expect(put('folder/new')).rejects.toMatchObject(refused);
    await expect(storage().list('folder/', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
    const listed = await listKeys(storage());
    expect(listed).toEqual(['kept']);
    await put('file', 'replaces the link itself');
    expect(await readdir(join(root, 'outside'))).toEqual(['secret']);
    expect(await readFile(join(root, 'outside/secret'), 'utf8')).toBe('secret');
  });

  it('hides what a crash left and removes it after a day', async () => {
    await put('a');
    await writeFile(join(base, '.backupx-tmp-old'), 'half');
    await writeFile(join(base, '.backupx-tmp-new'), 'half');
    const dayAgo = new Date(Date.now() - 25 * 3600 * 1000);
    await utimes(join(base, '.backupx-tmp-old'), dayAgo, dayAgo);
    expect(await listKeys(storage())).toEqual(['a']);
    await put('b');
    expect((await readdir(base)).sort()).toEqual(['.backupx-tmp-new', 'a', 'b']);
    await put('folder/a');
    await writeFile(join(base, 'folder/.backupx-tmp-old'), '');
    await utimes(join(base, 'folder/.backupx-tmp-old'), dayAgo, dayAgo);
    await put('folder/b');
    expect((await readdir(join(base, 'folder'))).sort()).toEqual(['a', 'b']);
    await expect(put('.backupx-tmp-mine')).rejects.toMatchObject({ code: 'STORAGE_INVALID_KEY' });
  });

  it('leaves neither temp files nor folders after a failed put', async () => {
    await put('kept/one');
    const body = async function* () {
      yield Buffer.from('half');
      throw new Error('broken');
    };
    await expect(storage().put('kept/new/deep/two', body(), { signal })).rejects.toThrow('broken');
    expect((await readdir(base, { recursive: true })).sort()).toEqual(['kept', 'kept/one']);
  });

  it('removes the folders that a delete empties, but never the base', async () => {
    await put('a/b/c');
    await put('a/d');
    await storage().delete('a/b/c', signal);
    expect(await readdir(join(base, 'a'))).toEqual(['d']);
    await storage().delete('a/d', signal);
    expect(await readdir(base)).toEqual([]);
  });

  it('survives deletes that empty the folder of a put that is under way', async () => {
    const body = async function* () {
      yield Buffer.from('x');
      await storage().delete('race/other', signal);
      await rm(join(base, 'race'), { recursive: true, force: true });
    };
    await put('race/other');
    await storage().put('race/mine', body(), { signal });
    expect(await readFile(join(base, 'race/mine'), 'utf8')).toBe('x');
  });

  it('survives writers that come and go in one folder', async () => {
    const storages = Array.from({ length: 4 }, () =>
      localDisk.create({ basePath: join(root, 'base'), masterRelay: false }),
    );
    await storages[0]?.put('kept', bodyOf('x'), { signal });
    const comeAndGo = async (writer: Storage, index: number) => {
      for (let turn = 0; turn < 60; turn++) {
        const key = `locks/${index}-${turn}`;
        await writer.put(key, bodyOf('lock'), { signal });
        await writer.delete(key, signal);
      }
    };
    await Promise.all(storages.map(comeAndGo));
    expect(await readdir(join(root, 'base'))).toEqual(['kept']);
  });

  it('answers STORAGE_INVALID_KEY where a file stands for a folder, or a folder for a file', async () => {
    await put('a/b');
    await expect(put('a')).rejects.toMatchObject({ code: 'STORAGE_INVALID_KEY' });
    await expect(put('a/b/c')).rejects.toMatchObject({ code: 'STORAGE_INVALID_KEY' });
    await expect(put(`a/${'n'.repeat(300)}`)).rejects.toMatchObject({ code: 'STORAGE_INVALID_KEY' });
    await expect(storage().stat('a/b/c', signal)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
  });

  it('is full before it starts when the size is known and too large', async () => {
    let isPulled = false;
    const body = async function* () {
      isPulled = true;
      yield Buffer.from('x');
    };
    const sizeBytes = Number.MAX_SAFE_INTEGER;
    await expect(storage().put('a', body(), { signal, sizeBytes })).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(isPulled).toBe(false);
    expect(await readdir(base)).toEqual([]);
  });

  it('answers STORAGE_PERMISSION before it reads the body when the folder is read-only', async () => {
    const isRoot = process.geteuid?.() === 0;
    await put('a/b');
    await chmod(join(base, 'a'), 0o500);
    if (isRoot) {
      // Root may write everywhere: look at it as another user, who owns the folders.
      for (const path of [root, base, join(base, 'a')]) await chown(path, NOBODY, NOBODY);
      process.seteuid?.(NOBODY);
    }
    let isPulled = false;
    const body = async function* () {
      isPulled = true;
      yield Buffer.from('x');
    };
    try {
      await expect(storage().put('a/c', body(), { signal })).rejects.toMatchObject({ code: 'STORAGE_PERMISSION' });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(isPulled).toBe(false);
    await chmod(join(base, 'a'), 0o700);
  });

  it('tells the space of the disk', async () => {
    const usage = await storage().usage?.(signal);
    expect(usage?.totalBytes).toBeGreaterThan(usage?.freeBytes ?? Number.POSITIVE_INFINITY);
  });

  it.each(['relative/path', '', '/a/../b', '/nul\0'])('refuses the base path %j', (basePath) => {
    expect(localDisk.config.safeParse({ basePath }).success).toBe(false);
  });
});
