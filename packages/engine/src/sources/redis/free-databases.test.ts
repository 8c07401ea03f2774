import { expect, it } from 'vitest';
import type { RedisConnection } from './connection.ts';
import { claimDatabase, MARKER, renewMark } from './free-databases.ts';

/** A server with these keys in its databases; `meanwhile` runs when it is asked how many there are. */
function serverWith(keys: Map<number, Set<string>>, meanwhile = () => {}) {
  let selected = 0;
  const content = () => keys.get(selected) ?? new Set<string>();
  const commands: Record<string, (word: string) => unknown> = {
    SELECT: (number) => {
      selected = Number(number);
    },
    TIME: () => [Buffer.from('1700000000'), Buffer.from('0')],
    SET: (key) => (content().has(key) ? null : keys.set(selected, content().add(key)) && 'OK'),
    DEL: (key) => content().delete(key),
    DBSIZE: () => {
      meanwhile();
      return content().size;
    },
  };
  const demand = async (_action: string, command: string, word = '') => commands[command]?.(String(word));
  return { demand } as unknown as RedisConnection;
}

it('takes a database only when nobody else has taken it or writes into it', async () => {
  const keys = new Map([[1, new Set<string>()]]);
  await claimDatabase(serverWith(keys), 1, 'a1');
  expect(keys.get(1)).toEqual(new Set([MARKER]));
  await expect(claimDatabase(serverWith(keys), 1, 'b2')).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
    message: expect.stringContaining('another restore'),
  });
  const busy = new Map([[2, new Set<string>()]]);
  const server = serverWith(busy, () => busy.get(2)?.add('theirs'));
  await expect(claimDatabase(server, 2, 'a1')).rejects.toMatchObject({
    message: expect.stringContaining('begun to write'),
  });
  expect(busy.get(2)).toEqual(new Set(['theirs']));
});

it('renews no mark of another restore, which took this one for dead', async () => {
  const said: string[] = [];
  const server = (mark: string | null) => {
    const demand = async (_action: string, ...words: unknown[]) => {
      said.push(words.join(' '));
      if (words[0] === 'GET') return mark === null ? null : Buffer.from(mark);
      return words[0] === 'TIME' ? [Buffer.from('1700000060'), Buffer.from('0')] : 'OK';
    };
    return { demand } as unknown as RedisConnection;
  };
  await renewMark(server('1700000000 a1'), 4, 'a1');
  expect(said.at(-1)).toBe(`SET ${MARKER} 1700000060 a1 XX`);
  // Of nobody who says so: an older version.
  for (const mark of ['1700000000 b2', '1700000000']) {
    await expect(renewMark(server(mark), 4, 'a1')).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
  }
  await renewMark(server(null), 4, 'a1');
  expect(said.filter((words) => words.startsWith('SET'))).toHaveLength(1);
});
