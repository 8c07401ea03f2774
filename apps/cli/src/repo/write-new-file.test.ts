import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeNewFile } from './write-new-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'backupx-new-file-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const pieces = ['one ', 'two ', 'three'];

test('a file has its name only when it is whole', async () => {
  const target = path.join(dir, 'x.tar');
  async function* stream() {
    for (const piece of pieces) {
      yield Buffer.from(piece);
      // A kill now must leave nothing that looks like the whole.
      expect(readdirSync(dir).filter((name) => !name.endsWith('.partial'))).toEqual([]);
    }
  }
  await writeNewFile(stream(), target);
  expect(readdirSync(dir)).toEqual(['x.tar']);
  expect(readFileSync(target, 'utf8')).toBe('one two three');
  expect(statSync(target).mode & 0o777).toBe(0o600);
});

test('a stream that fails leaves nothing', async () => {
  async function* stream() {
    yield Buffer.from('one');
    throw new Error('damaged');
  }
  await expect(writeNewFile(stream(), path.join(dir, 'x'))).rejects.toThrow('damaged');
  expect(readdirSync(dir)).toEqual([]);
});

test('a file that is there, before or meanwhile, stays as it is', async () => {
  const target = path.join(dir, 'x');
  async function* stream() {
    yield Buffer.from('new');
    writeFileSync(target, 'other');
  }
  for (const _ of ['meanwhile', 'before']) {
    await expect(writeNewFile(stream(), target)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(readFileSync(target, 'utf8')).toBe('other');
    expect(readdirSync(dir)).toEqual(['x']);
  }
  await expect(writeNewFile(stream(), path.join(dir, 'no', 'x'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});
