import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../ports/clock.ts';
import type { RedisConnection } from './connection.ts';
import { copyKeys } from './copy-keys.ts';
import { markKey } from './restore-marks.ts';

afterEach(() => vi.restoreAllMocks());

/** Answers with nothing but pages without keys, as many as are asked for; `said` is what it was told. */
function emptyServer(pages: number): { readonly connection: RedisConnection; readonly said: string[] } {
  const said: string[] = [];
  let left = pages;
  const demand = async (_action: string, ...words: unknown[]) => {
    said.push(words.join(' '));
    if (words[0] === 'SCAN') return [Buffer.from(--left > 0 ? '7' : '0'), []];
    if (words[0] === 'MGET') return [Buffer.from('1699999999 a1'), null, null];
    return words[0] === 'TIME' ? [Buffer.from('1700000000'), Buffer.from('0')] : 1;
  };
  const ask = async () => [];
  return { connection: { ask, demand, sendAll: async () => {} } as unknown as RedisConnection, said };
}

it('renews the marks of the databases before, too, and none that is not there any more', async () => {
  const [from, to] = [emptyServer(2), emptyServer(0)];
  let asked = 0;
  vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => 45_000 * asked++);
  const signal = new AbortController().signal;
  const parts = { from: from.connection, to: to.connection, database: 3, place: 2, marked: [1, 2], signal };
  await copyKeys({ ...parts, owner: 'a1', onKeys: () => {} });
  const changes = to.said.filter((words) => /^(SELECT|SET|DBSIZE)/.test(words));
  const mark = `SET ${markKey('scratch')} 1700000000 a1 XX`;
  const renewed = [1, 2].flatMap((place) => [`SELECT ${place}`, `SELECT ${place}`, mark]);
  expect(changes).toEqual(['SELECT 2', ...renewed, 'SELECT 2', 'DBSIZE']);
});
