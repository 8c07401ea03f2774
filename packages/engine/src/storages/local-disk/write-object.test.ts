import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { writeSynced } from './write-object.ts';

const MIB = 1024 ** 2;
const { signal } = new AbortController();
let folder: string;
let calls: string[];

/** A disk that takes everything and keeps nothing. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backupx-write-object-'));
  calls = [];
  const file = await open(join(folder, 'any'), 'w');
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  vi.spyOn(prototype, 'write').mockImplementation((async (_: Uint8Array, at: number, length: number) => {
    // As disks do that are nearly full: not all at once.
    const bytesWritten = at === 0 ? Math.ceil(length / 2) : length;
    return { bytesWritten, buffer: _ };
  }) as never);
  for (const name of ['sync', 'datasync'] as const) {
    vi.spyOn(prototype, name).mockImplementation(async () => {
      calls.push(name);
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function write(megabytes: number): Promise<string[]> {
  const chunk = Buffer.alloc(16 * MIB);
  async function* body() {
    for (let left = megabytes; left > 0; left -= 16) yield chunk.subarray(0, Math.min(16, left) * MIB);
  }
  calls = [];
  await writeSynced(join(folder, `of-${megabytes}`), body(), signal);
  return calls;
}

it('brings large objects to the disk in steps, so that the end of one is no long silence', async () => {
  expect(await write(3 * 1024 + 16)).toEqual(['datasync', 'datasync', 'datasync', 'sync']);
});

it('waits once for the disk with what a repository writes', async () => {
  expect(await write(16)).toEqual(['sync']);
  expect(await write(1024 - 16)).toEqual(['sync']);
});
