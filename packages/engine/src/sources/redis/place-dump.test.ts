import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it, vi } from 'vitest';
import { StagedFile } from './place-dump.ts';

/** What reached the disk or got another name, in this order; and a file system on which a file has one name. */
const { said } = vi.hoisted(() => ({ said: [] as string[] }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const names = new Map<number, string>();
  const openSync: typeof real.openSync = (path, ...more) => {
    const handle = real.openSync(path, ...more);
    names.set(handle, String(path));
    return handle;
  };
  const fsyncSync: typeof real.fsyncSync = (handle) => {
    real.fsyncSync(handle);
    said.push(`sync ${names.get(handle)}`);
  };
  const renameSync: typeof real.renameSync = (from, to) => {
    real.renameSync(from, to);
    said.push(`rename to ${String(to)}`);
  };
  const linkSync: typeof real.linkSync = () => {
    throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM', syscall: 'link' });
  };
  return { ...real, openSync, fsyncSync, renameSync, linkSync };
});

/** Begins to write, and goes no further. */
const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${JSON.stringify(new URL('./place-dump.ts', import.meta.url).href)}).then(({ StagedFile }) => {
    new StagedFile(workerData).write(Buffer.from('REDIS'));
    parentPort.postMessage('begun');
    setInterval(() => {}, 1000);
  });`;

it('goes where a thread that was ended in the middle had begun', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'place-dump-'));
  try {
    const worker = new Worker(PROGRAM, { eval: true, workerData: join(folder, 'dump.rdb') });
    await once(worker, 'message');
    await worker.terminate();
    expect(readdirSync(folder)).toHaveLength(1);
    const next = new StagedFile(join(folder, 'dump.rdb'));
    expect(readdirSync(folder)).toHaveLength(1);
    next.discard();
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('has a copy of what it replaces on the disk before that is replaced', () => {
  const folder = mkdtempSync(join(tmpdir(), 'place-dump-'));
  try {
    const [target, keepAs] = [join(folder, 'dump.rdb'), join(folder, 'kept')];
    writeFileSync(target, 'old');
    const file = new StagedFile(target);
    file.write(Buffer.from('new'));
    said.length = 0;
    expect(file.commit(keepAs)).toBe(true);
    expect([readFileSync(target, 'utf8'), readFileSync(keepAs, 'utf8')]).toEqual(['new', 'old']);
    expect(said.slice(1)).toEqual([`sync ${keepAs}`, `sync ${folder}`, `rename to ${target}`, `sync ${folder}`]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('leaves alone what has the name that what it replaces would be kept under', () => {
  const folder = mkdtempSync(join(tmpdir(), 'place-dump-'));
  try {
    const [target, keepAs] = [join(folder, 'dump.rdb'), join(folder, 'kept')];
    writeFileSync(target, 'old');
    writeFileSync(keepAs, 'kept by another');
    const file = new StagedFile(target);
    expect(() => file.commit(keepAs)).toThrow(expect.objectContaining({ code: 'RESTORE_TARGET_INVALID' }));
    file.discard();
    expect([readFileSync(target, 'utf8'), readFileSync(keepAs, 'utf8')]).toEqual(['old', 'kept by another']);
    expect(readdirSync(folder).sort()).toEqual(['dump.rdb', 'kept']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
