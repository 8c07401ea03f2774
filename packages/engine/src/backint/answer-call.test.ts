import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { answerCall } from './answer-call.ts';
import type { BackintFunction } from './parse-input.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'backupx-backint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'file');

async function ask(storage: Storage, name: BackintFunction, ...input: string[]): Promise<string[]> {
  const lines: string[] = [];
  await answerCall({
    function: name,
    user: 'HDB',
    input: input.join('\n'),
    backupId: null,
    level: null,
    parameters: {
      prefix: 'p',
      recipients: [],
      identities: [],
      compressionLevel: 3,
      parallelism: 4,
      openTimeoutMs: 1000,
      recoveryUser: null,
    },
    storage,
    agent: 'agent 1',
    clock: systemClock,
    signal: new AbortController().signal,
    reply: (line) => lines.push(line),
    log() {},
    warn() {},
  });
  return lines.slice(1);
}

async function saveOnce(storage: Storage, text: string): Promise<string> {
  writeFileSync(file, text);
  const [line = ''] = await ask(storage, 'backup', `#FILE ${file}`);
  return /"(.*?)"/.exec(line)?.[1] ?? '';
}

it('restores the newest unless an id is given, and only what is newer knows nothing of the older', async () => {
  const storage = createMemoryStorage();
  const ids = [await saveOnce(storage, 'first'), await saveOnce(storage, 'second')];
  expect(await ask(storage, 'restore', `#NULL ${file}`)).toEqual([`#RESTORED "${ids[1]}" ${file}`]);
  expect(readFileSync(file, 'utf8')).toBe('second');
  expect(await ask(storage, 'restore', `#EBID ${ids[0]} ${file}`)).toEqual([`#RESTORED "${ids[0]}" ${file}`]);
  expect(readFileSync(file, 'utf8')).toBe('first');
  expect(await ask(storage, 'inquire', `#EBID ${ids[0]}`)).toEqual([`#BACKUP "${ids[0]}" "${file}"`]);
});

it('takes an id for what it is: no part of a path', async () => {
  const storage = createMemoryStorage();
  await saveOnce(storage, 'text');
  expect(await ask(storage, 'delete', `#EBID "../x" ${file}`, `#EBID "" "a"`).catch((error) => error.code)).toBe(
    'INVALID_INPUT',
  );
  expect(await ask(storage, 'delete', `#EBID "../x" ${file}`, `#EBID "1" ${file}`)).toEqual([
    `#NOTFOUND "../x" ${file}`,
    `#NOTFOUND "1" ${file}`,
  ]);
});

it('says #DELETED only of what is gone', async () => {
  const storage = createMemoryStorage();
  const ebid = await saveOnce(storage, 'text');
  const keeping: Storage = { ...bind(storage), delete: async () => {} };
  expect(await ask(keeping, 'delete', `#EBID ${ebid} ${file}`)).toEqual([`#ERROR "${ebid}" ${file}`]);
  expect(await ask(storage, 'delete', `#EBID ${ebid} ${file}`)).toEqual([`#DELETED "${ebid}" ${file}`]);
});

it('restores log backups one after the other, in the order they are asked for', async () => {
  const storage = createMemoryStorage();
  const names = ['log_backup_1', 'log_backup_2', 'log_backup_3'].map((name) => path.join(folder, name));
  for (const name of names) writeFileSync(name, name);
  await ask(storage, 'backup', ...names.map((name) => `#FILE ${name}`));
  let open = 0;
  let most = 0;
  const slow: Storage = {
    ...bind(storage),
    async *get(key, options) {
      open += 1;
      most = Math.max(most, open);
      yield* storage.get(key, options);
      open -= 1;
    },
  };
  const lines = await ask(slow, 'restore', ...names.map((name) => `#NULL ${name}`));
  expect(lines.map((line) => line.split(' ')[2])).toEqual(names);
  expect(most).toBe(1);
});

it('answers questions in the order they are asked in, however long each takes', async () => {
  const storage = createMemoryStorage();
  const ebid = await saveOnce(storage, 'text');
  let calls = 0;
  const slowAtFirst: Storage = {
    ...bind(storage),
    async *list(...args) {
      calls += 1;
      if (calls === 1) await new Promise((resolve) => setTimeout(resolve, 50));
      yield* storage.list(...args);
    },
  };
  expect(await ask(slowAtFirst, 'inquire', `#NULL ${file}`, '#EBID "nothing"', `#NULL "${file}2"`)).toEqual([
    `#BACKUP "${ebid}" "${file}"`,
    '#NOTFOUND "nothing"',
    `#NOTFOUND "${file}2"`,
  ]);
});

function bind(storage: Storage): Storage {
  return {
    put: (...args) => storage.put(...args),
    get: (...args) => storage.get(...args),
    stat: (...args) => storage.stat(...args),
    list: (...args) => storage.list(...args),
    delete: (...args) => storage.delete(...args),
  };
}
