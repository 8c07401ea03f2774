import { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import type { RedisConnection } from './connection.ts';
import { RedisRefusal } from './resp.ts';
import { claimDatabase, emptyMarked, markKey, readMark, removeMark, renewMark } from './restore-marks.ts';

type Keys = Map<string, string>;
const SCRATCH = markKey('scratch');

/**
 * A server with these keys, as far as marks need one; `meanwhile` is what somebody else does right before it hears a word.
 * He who writes a key that is watched makes EXEC do nothing.
 */
function serverWith(databases: Map<number, Keys>, meanwhile: Record<string, () => void> = {}) {
  let [selected, isQueuing, watched] = [0, false, ''];
  const queue: string[][] = [];
  const content = () => databases.get(selected) ?? new Map<string, string>();
  const image = () => JSON.stringify([...databases].map(([number, keys]) => [number, ...keys]));
  const set = (key: string, value: string, when: string) => {
    if (content().has(key) === (when === 'NX')) return null;
    content().set(key, value);
    return 'OK';
  };
  const commands: Record<string, (...words: string[]) => unknown> = {
    SELECT: (number) => {
      selected = Number(number);
    },
    TIME: () => [Buffer.from('1700000060'), Buffer.from('0')],
    MGET: (...keys) => keys.map((key) => (content().has(key) ? Buffer.from(content().get(key) ?? '') : null)),
    SET: (key = '', value = '', when = '') => set(key, value, when),
    DEL: (...keys) => keys.map((key) => content().delete(key)).length,
    DBSIZE: () => content().size,
    FLUSHDB: () => content().clear(),
    WATCH: () => {
      watched = image();
    },
    UNWATCH: () => {
      watched = '';
    },
    EVAL: (_script, _count, key = '', text, ...command) => {
      if (content().get(key) !== text) return 0;
      const [word = '', ...words] = command;
      run(word, ...words);
      return 1;
    },
  };
  const run = (word: string, ...words: string[]) => commands[word]?.(...words);
  const ask = async (...said: unknown[]) => {
    const [word = '', ...words] = said.map(String);
    meanwhile[word]?.();
    if (word === 'MULTI') isQueuing = true;
    else if (word === 'DISCARD') isQueuing = false;
    else if (word !== 'EXEC') return isQueuing ? queue.push([word, ...words]) : run(word, ...words);
    else {
      isQueuing = false;
      const all = queue.splice(0);
      return watched === image() ? all.map(([first = '', ...rest]) => run(first, ...rest)) : null;
    }
  };
  const demand = async (_action: string, ...words: unknown[]) => await ask(...words);
  return { ask, demand } as unknown as RedisConnection;
}

it('takes a database only when nobody else has taken it or writes into it', async () => {
  const databases = new Map([[1, new Map<string, string>()]]);
  await claimDatabase(serverWith(databases), 1, 'a1');
  expect([...(databases.get(1) ?? [])]).toEqual([[SCRATCH, '1700000060 a1']]);
  await expect(claimDatabase(serverWith(databases), 1, 'b2')).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: expect.stringContaining('another restore'),
  });
  const busy = new Map([[2, new Map<string, string>()]]);
  const server = serverWith(busy, { DBSIZE: () => busy.get(2)?.set('theirs', '1') });
  await expect(claimDatabase(server, 2, 'a1')).rejects.toMatchObject({
    message: expect.stringContaining('begun to write'),
  });
  expect([...(busy.get(2)?.keys() ?? [])]).toEqual(['theirs']);
});

it('renews no mark of another restore, which took this one for dead', async () => {
  const marked = (mark: string) => new Map([[4, new Map([[SCRATCH, mark]])]]);
  const own = marked('1700000000 a1');
  await renewMark(serverWith(own), 4, 'a1');
  expect(own.get(4)?.get(SCRATCH)).toBe('1700000060 a1');
  // Of nobody who says so: an older version.
  for (const mark of ['1700000000 b2', '1700000000']) {
    const others = marked(mark);
    await expect(renewMark(serverWith(others), 4, 'a1')).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
    expect(others).toEqual(marked(mark));
  }
  // One that takes it in the very moment.
  const taken = marked('1700000000 a1');
  const server = serverWith(taken, { EXEC: () => taken.get(4)?.set(SCRATCH, '1700000050 b2') });
  await expect(renewMark(server, 4, 'a1')).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  expect(taken).toEqual(marked('1700000050 b2'));
  const none = new Map([[4, new Map([['theirs', '1']])]]);
  await renewMark(serverWith(none), 4, 'a1');
  expect([...(none.get(4)?.keys() ?? [])]).toEqual(['theirs']);
});

it('empties only what still has the very mark that was seen', async () => {
  const fresh = () =>
    new Map([
      [
        4,
        new Map([
          [SCRATCH, '1700000000 a1'],
          ['half', '1'],
        ]),
      ],
    ]);
  const text = '1700000000 a1';
  const seen = { kind: 'scratch', text, renewedAt: 1_700_000_000, owner: 'a1' } as const;
  const dead = fresh();
  expect(await readMark(serverWith(dead), 4)).toEqual(seen);
  expect(await emptyMarked(serverWith(dead), 4, seen)).toBe(true);
  expect(dead.get(4)?.size).toBe(0);
  for (const word of ['SELECT', 'FLUSHDB', 'EXEC']) {
    const alive = fresh();
    const renew = () => alive.get(4)?.set(SCRATCH, '1700000059 a1');
    expect(await emptyMarked(serverWith(alive, { [word]: renew }), 4, seen)).toBe(false);
    expect([...(alive.get(4)?.keys() ?? [])]).toEqual([SCRATCH, 'half']);
  }
  const left = new Map([
    [
      4,
      new Map([
        [markKey('late'), '1700000000 a1'],
        ['theirs', '1'],
      ]),
    ],
  ]);
  expect(await removeMark(serverWith(left), 4, 'b2')).toBe(false);
  expect(await removeMark(serverWith(left), 4, 'a1')).toBe(true);
  expect([...(left.get(4) ?? [])]).toEqual([['theirs', '1']]);
});

it('makes room on a server whose memory is full, which takes no commands of a transaction', async () => {
  const mark = '1700000000 a1';
  const seen = { kind: 'scratch', text: mark, renewedAt: 1_700_000_000, owner: 'a1' } as const;
  const full = () => {
    const cause = new RedisRefusal("OOM command not allowed when used memory > 'maxmemory'.");
    throw new AppError('DATABASE_TOOL_FAILED', { tool: 'here', reason: cause.message }, { cause });
  };
  const fresh = () =>
    new Map([
      [
        4,
        new Map([
          [SCRATCH, mark],
          ['half', '1'],
        ]),
      ],
    ]);
  const dead = fresh();
  expect(await emptyMarked(serverWith(dead, { FLUSHDB: full }), 4, seen)).toBe(true);
  expect(dead.get(4)?.size).toBe(0);
  const alive = fresh();
  const renewed = { FLUSHDB: full, EVAL: () => alive.get(4)?.set(SCRATCH, '1700000059 a1') };
  expect(await emptyMarked(serverWith(alive, renewed), 4, seen)).toBe(false);
  expect([...(alive.get(4)?.keys() ?? [])]).toEqual([SCRATCH, 'half']);
});
