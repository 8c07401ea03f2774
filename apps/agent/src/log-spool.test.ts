import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type LogSpool, openLogSpool } from './log-spool.ts';

const dir = mkdtempSync(join(tmpdir(), 'backupx-spool-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let count = 0;
const freshPath = () => join(dir, `${++count}.log`);

function readAll(spool: LogSpool): string {
  let text = '';
  while (!spool.isEmpty) {
    text += spool.peek();
    spool.sent();
  }
  return text;
}
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `line ${from + index} ü\n`);

describe('log spool', () => {
  test('gives every line once and in order, through memory and file', () => {
    const spool = openLogSpool(freshPath(), { memoryBytes: 2000, fileBytes: 1_000_000 });
    const wanted = lines(0, 20_000);
    for (const line of wanted) spool.add(line);
    expect(readAll(spool)).toBe(wanted.join(''));
    spool.add('after\n');
    expect(readAll(spool)).toBe('after\n');
  });

  test('a piece stays the same until it was sent, while more is added', () => {
    const spool = openLogSpool(freshPath(), { memoryBytes: 100, fileBytes: 200 });
    for (const line of lines(0, 5)) spool.add(line);
    const first = spool.peek();
    for (const line of lines(5, 200)) spool.add(line);
    expect(spool.peek()).toBe(first);
    spool.sent();
    expect(spool.peek()).not.toBe(first);
  });

  test('drops the middle, says so, and keeps beginning and end', () => {
    const spool = openLogSpool(freshPath(), { memoryBytes: 1000, fileBytes: 5000 });
    for (const line of lines(0, 10_000)) spool.add(line);
    const text = readAll(spool);
    expect(text.startsWith('line 0 ü\n')).toBe(true);
    expect(text.endsWith('line 9999 ü\n')).toBe(true);
    expect(text).toMatch(/… \d+ lines were dropped/);
    expect(text.length).toBeLessThan(8000);
    const dropped = Number(/… (\d+) lines/.exec(text)?.[1]);
    expect(text.split('\n').length - 2 + dropped).toBe(10_000);
  });

  test('what was saved or half sent is there after a restart, from where it was acknowledged', () => {
    const path = freshPath();
    const before = openLogSpool(path, { memoryBytes: 1000, fileBytes: 1_000_000 });
    const wanted = lines(0, 20_000);
    for (const line of wanted) before.add(line);
    before.save();
    const first = before.peek();
    before.sent();
    const after = openLogSpool(path);
    expect(first + readAll(after)).toBe(wanted.join(''));
    after.discard();
    expect(existsSync(path)).toBe(false);
  });
});
