import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BackupRecord } from '@backupx/contracts/api/records';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../support/compare-trees.ts';
import { makeTree } from '../support/make-tree.ts';
import { createLocalTarget, createTask, type Master, restoreRecord, runTask, startMaster } from '../support/master.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const work = makeWorkFolder('local');
const source = work.at('source');
let master: Master;
let targetId: number;

beforeAll(async () => {
  makeTree(source, { files: 20_000 });
  master = await startMaster(work.path);
  targetId = (await createLocalTarget(master.client, work.at('store'))).id;
});
afterAll(async () => {
  await master.stop();
  work.remove();
});

describe('a backup on the master', () => {
  let record: BackupRecord;

  it('stores 20,000 odd files encrypted and restores them identical', async () => {
    const task = await createTask(master.client, {
      name: 'tree',
      sourcePaths: [source],
      storageTargetIds: [targetId],
      encrypt: true,
    });
    record = await runTask(master.client, task.id);
    expect(record.errorMessage).toBe('');
    expect(record.problems).toEqual([]);
    expect(record.status).toBe('success');
    expect(record.fileName).toMatch(/\.tar\.zst\.age$/);
    expect(record.itemCount).toBeGreaterThan(20_000);
    const restore = await restoreRecord(master.client, record.id, { targetPath: work.at('restored') });
    expect(restore.problems).toEqual([]);
    expect(restore.status).toBe('success');
    expect(compareTrees(source, work.at('restored', 'source'))).toEqual([]);
  });

  it('is opened by stock age, zstd and GNU tar with the recovery kit alone', async () => {
    const kit = await (
      await fetch(`${master.url}/api/recovery-kit`, { headers: { authorization: `Bearer ${master.client.token}` } })
    ).text();
    const identity = /AGE-SECRET-KEY-1[A-Z0-9]+/.exec(kit)?.[0];
    expect(identity).toBeDefined();
    expect(kit).toContain(work.at('store'));
    writeFileSync(work.at('key.txt'), `${identity}\n`, { mode: 0o600 });
    const artifact = path.join(work.at('store'), record.storagePath);
    execFileSync('sha256sum', ['--check', '-'], { input: `${record.checksum}  ${artifact}\n` });
    const out = work.at('by-hand');
    execFileSync('bash', [
      '-euo',
      'pipefail',
      '-c',
      'mkdir -p "$3" && age -d -i "$1" "$2" | zstd -dc | tar --xattrs --xattrs-include="*" -xpf - -C "$3"',
      'bash',
      work.at('key.txt'),
      artifact,
      out,
    ]);
    expect(compareTrees(source, path.join(out, source))).toEqual([]);
  });

  it('shows the contents folder by folder and restores one selected file', async () => {
    const listing = await master.client.call<{
      entries: { name: string; type: string; path: string }[];
      total: number;
    }>('GET', `/api/backup/records/${record.id}/contents?path=${encodeURIComponent(path.join(source, 'kinds'))}`);
    expect(listing.entries.map((entry) => entry.name)).toEqual(
      expect.arrayContaining(['empty-folder', 'sparse.img', 'fifo', 'dangling-link']),
    );
    const found = await master.client.call<{ entries: { path: string }[] }>(
      'GET',
      `/api/backup/records/${record.id}/contents?q=file-777.txt`,
    );
    const wanted = found.entries[0]?.path ?? '';
    expect(wanted).toMatch(/file-777\.txt$/);
    const restore = await restoreRecord(master.client, record.id, { targetPath: work.at('one'), paths: [wanted] });
    expect(restore.status).toBe('success');
    const relative = path.relative(path.dirname(source), wanted);
    expect(readFileSync(work.at('one', relative))).toEqual(readFileSync(wanted));
    expect(existsSync(work.at('one', 'source', 'kinds'))).toBe(false);
  });

  it('honours the overwrite modes on the original place', async () => {
    const victim = path.join(source, 'd1', 'e1', 'file-1.txt');
    const before = readFileSync(victim, 'utf8');
    writeFileSync(victim, 'damaged');
    const kept = await restoreRecord(master.client, record.id, { paths: [victim], overwrite: 'never' });
    expect(kept.status).toBe('failed');
    expect(kept.errorCode).toBe('RESTORE_NOTHING_WRITTEN');
    expect(readFileSync(victim, 'utf8')).toBe('damaged');
    const replaced = await restoreRecord(master.client, record.id, { paths: [victim], overwrite: 'always' });
    expect(replaced.status).toBe('success');
    expect(readFileSync(victim, 'utf8')).toBe(before);
  });

  it('refuses a damaged artifact before it overwrites anything', async () => {
    const artifact = path.join(work.at('store'), record.storagePath);
    const good = readFileSync(artifact);
    const target = work.at('precious');
    const first = await restoreRecord(master.client, record.id, { targetPath: target });
    expect(first.status).toBe('success');
    const probe = path.join(target, 'source', 'kinds', 'first-name');
    writeFileSync(probe, 'newer work');
    const flipped = Buffer.from(good);
    flipped[good.length - 5000] = (flipped[good.length - 5000] ?? 0) ^ 1;
    writeFileSync(artifact, flipped);
    const damaged = await restoreRecord(master.client, record.id, { targetPath: target, overwrite: 'always' });
    expect(damaged.status).toBe('failed');
    expect(damaged.errorCode).toBe('ARTIFACT_DAMAGED');
    expect(readFileSync(probe, 'utf8')).toBe('newer work');
    writeFileSync(artifact, good);
    truncateSync(artifact, statSync(artifact).size - 1);
    const truncated = await restoreRecord(master.client, record.id, { targetPath: work.at('fresh') });
    expect(truncated.status).toBe('failed');
    expect(truncated.errorCode).toBe('ARTIFACT_DAMAGED');
    expect(existsSync(work.at('fresh', 'source', 'kinds', 'first-name'))).toBe(false);
    writeFileSync(artifact, good);
  });

  it('deletes the artifact with the record, but not a locked one', async () => {
    await master.client.call('PUT', `/api/backup/records/${record.id}/lock`, { locked: true });
    await expect(master.client.call('DELETE', `/api/backup/records/${record.id}`)).rejects.toMatchObject({
      code: 'BACKUP_RECORD_LOCKED',
    });
    await master.client.call('PUT', `/api/backup/records/${record.id}/lock`, { locked: false });
    const artifact = path.join(work.at('store'), record.storagePath);
    await master.client.call('DELETE', `/api/backup/records/${record.id}`);
    expect(existsSync(artifact)).toBe(false);
    expect(existsSync(`${artifact}.contents`)).toBe(false);
  });
});

describe('bad input', () => {
  it('says that a source does not exist and leaves no artifact', async () => {
    const task = await createTask(master.client, {
      name: 'nowhere',
      sourcePaths: [work.at('no-such-folder')],
      storageTargetIds: [targetId],
    });
    const record = await runTask(master.client, task.id);
    expect(record.status).toBe('failed');
    expect(record.errorCode).toBe('SOURCE_NOT_FOUND');
    expect(record.errorMessage).toContain('no-such-folder');
    expect(record.errorHint).not.toBe('');
  });

  it('names a storage path that cannot be written', async () => {
    writeFileSync(work.at('a-file'), '');
    const broken = await createLocalTarget(master.client, work.at('a-file', 'store'), { name: 'broken' });
    const task = await createTask(master.client, {
      name: 'to-broken',
      sourcePaths: [path.join(source, 'odd')],
      storageTargetIds: [broken.id],
    });
    const record = await runTask(master.client, task.id);
    expect(record.status).toBe('failed');
    expect(record.errorCode).toMatch(/^STORAGE_/);
    await expect(master.client.call('POST', `/api/storage-targets/${broken.id}/test`)).rejects.toMatchObject({
      code: 'STORAGE_TEST_FAILED',
    });
  });

  it('says that the disk is full, keeps nothing of the attempt, and works again when there is room', async (context) => {
    const disk = work.at('small-disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk]);
    if (mounted.status !== 0) context.skip('mounting a small file system needs root');
    try {
      const small = await createLocalTarget(master.client, path.join(disk, 'store'), { name: 'small' });
      const task = await createTask(master.client, {
        name: 'too-large',
        sourcePaths: [path.join(source, 'kinds')],
        storageTargetIds: [small.id],
      });
      const record = await runTask(master.client, task.id);
      expect(record.status).toBe('failed');
      expect(record.errorCode).toBe('STORAGE_FULL');
      expect(readdirSync(disk, { recursive: true, encoding: 'utf8' }).filter((name) => /tar|tmp-/.test(name))).toEqual(
        [],
      );
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      expect((await runTask(master.client, task.id)).status).toBe('success');
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('ends as a warning when one of two targets fails', async () => {
    const broken = (await master.client.call<{ id: number; name: string }[]>('GET', '/api/storage-targets')).find(
      (target) => target.name === 'broken',
    );
    const task = await createTask(master.client, {
      name: 'half',
      sourcePaths: [path.join(source, 'odd')],
      storageTargetIds: [targetId, broken?.id ?? 0],
    });
    const record = await runTask(master.client, task.id);
    expect(record.status).toBe('warning');
    expect(record.targets.map((target) => target.status).sort()).toEqual(['failed', 'success']);
  });
});
