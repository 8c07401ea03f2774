import { describe, expect, it } from 'vitest';
import { clearSessions } from './replaceable.ts';

const signal = new AbortController().signal;

/** A server with these sessions; `kill` answers whether one goes, and after how many looks. */
function serverWith(ids: readonly string[], kill: (id: string) => number) {
  const left = new Map(ids.map((id) => [id, Number.POSITIVE_INFINITY]));
  const query = async (sql: string): Promise<string[][]> => {
    const [, id] = /^KILL CONNECTION (\d+)$/.exec(sql) ?? [];
    if (id !== undefined) {
      left.set(id, kill(id));
      return [];
    }
    if (!sql.includes('information_schema.PROCESSLIST')) return [];
    const rows = [...left].filter(([, looks]) => looks > 0).map(([one]) => [one, 'app', 'host:1', 'Sleep', 'NULL']);
    for (const [one, looks] of left) left.set(one, looks - 1);
    return rows;
  };
  return { connection: { query, signal }, options: { endSessions: true } };
}

describe('clearSessions', () => {
  it('waits until those that were ended have gone', async () => {
    let killed = 0;
    const place = serverWith(['5', '6'], () => {
      killed += 1;
      return killed;
    });
    await clearSessions(place, 'shop');
    expect(killed).toBe(2);
  });

  it('says who is still there when the server does not end one', async () => {
    const place = serverWith(['5'], () => {
      throw new Error('You are not owner of thread 5');
    });
    await expect(clearSessions(place, 'shop')).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      message: expect.stringContaining('app@host:1'),
    });
  });

  it('does not mind one that went by itself', async () => {
    let looks = 0;
    const query = async (sql: string): Promise<string[][]> => {
      if (sql.startsWith('KILL')) throw new Error('Unknown thread id: 5');
      if (!sql.includes('information_schema.PROCESSLIST')) return [];
      looks += 1;
      return looks === 1 ? [['5', 'app', 'host:1', 'Sleep', 'NULL']] : [];
    };
    await clearSessions({ connection: { query, signal }, options: { endSessions: true } }, 'shop');
    expect(looks).toBe(2);
  });
});
