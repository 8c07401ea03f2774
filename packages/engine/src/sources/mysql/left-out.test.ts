import { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import { ignoring, leftOutOf } from './left-out.ts';
import { quoteName } from './sql-text.ts';

type Views = Readonly<Record<string, 'fine' | 'broken' | 'denied'>>;

/** A server with views, a client of which stops at the first that cannot be opened. */
function serverWith(views: Views, tables: readonly string[] = []) {
  let calls = 0;
  const rows = [...Object.keys(views).map((name) => [name, 'VIEW']), ...tables.map((name) => [name, 'BASE TABLE'])];
  return {
    calls: () => calls,
    async query(sql: string): Promise<string[][]> {
      if (sql.includes('information_schema')) return rows;
      if (sql.startsWith('CHECK TABLE')) return [['d.v', 'check', 'Error', 'it says why']];
      if (sql.startsWith('SHOW CREATE VIEW')) return [['v', 'CREATE VIEW …']];
      calls += 1;
      const places = Object.keys(views).map((name) => ({
        name,
        at: sql.indexOf(`${quoteName('d')}.${quoteName(name)} LIKE`),
      }));
      const asked = places.filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at);
      const failed = asked.find(({ name }) => views[name] !== 'fine');
      if (!failed) return [];
      const reason = `ERROR 1356 (HY000) at line ${sql.slice(0, failed.at).split('\n').length}: no`;
      if (views[failed.name] === 'broken') throw new AppError('DATABASE_TOOL_FAILED', { tool: 'mariadb', reason });
      throw new AppError('DATABASE_PERMISSION', { user: 'u', server: 's', action: `read what is there: ${reason}` });
    },
  };
}

const namesOf = async (server: ReturnType<typeof serverWith>) => (await leftOutOf(server, 'd')).map(({ name }) => name);

it('finds every view that cannot be opened, in two calls for each and two more', async () => {
  const server = serverWith({ a: 'broken', b: 'fine', 'c`x': 'broken', d: 'denied', e: 'broken', f: 'fine' });
  expect(await namesOf(server)).toEqual(['a', 'c`x', 'e']);
  expect(server.calls()).toBe(8);
  expect(await namesOf(serverWith({ a: 'broken', b: 'broken' }))).toEqual(['a', 'b']);
  expect(await namesOf(serverWith({}, ['t']))).toEqual([]);
});

it('keeps one that was only in the way of something once', async () => {
  const views: Record<string, 'fine' | 'broken'> = { a: 'broken', b: 'broken' };
  const server = serverWith(views);
  const query = async (sql: string) => {
    const rows = server.query(sql);
    // By the next question it is out of the way.
    if (sql.includes('LIKE')) views.a = 'fine';
    return await rows;
  };
  expect((await leftOutOf({ query }, 'd')).map(({ name }) => name)).toEqual(['b']);
});

it('asks for one with a line break in its name alone', async () => {
  const views: Views = {
    a: 'fine',
    'b\nc': 'broken',
    d: 'broken',
    'e\n;\nf': 'fine',
    g: 'broken',
    'h\n': 'denied',
    i: 'broken',
  };
  expect(await namesOf(serverWith(views))).toEqual(['b\nc', 'd', 'g', 'i']);
});

it('asks for many in more than one call', async () => {
  const views = Object.fromEntries(
    Array.from({ length: 1001 }, (_, index) => [`v${index}`, index % 400 === 0 ? 'broken' : 'fine']),
  );
  expect(await namesOf(serverWith(views as Views))).toEqual(['v0', 'v400', 'v800']);
});

it('tells why, and what made the view', async () => {
  expect(await leftOutOf(serverWith({ v: 'broken' }), 'd')).toEqual([
    { kind: 'view', name: 'v', reason: 'it cannot be opened (it says why)', definition: 'CREATE VIEW …' },
  ]);
});

it('leaves out what no server takes, and nothing that shares a name to the program', async () => {
  const server = serverWith({ V: 'broken', é: 'broken', w: 'broken', '#mysql50#x-y': 'fine' }, [
    'v',
    'E',
    '#mysql50#a-b',
  ]);
  const leftOut = await leftOutOf(server, 'd');
  expect(leftOut.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'view #mysql50#x-y',
    'table #mysql50#a-b',
    'view w',
  ]);
  expect(ignoring('my.db', leftOut)[2]).toBe('--ignore-table=my.db.w');
});

it('hands on what is no answer of the server', async () => {
  const server = {
    query: (sql: string) =>
      sql.startsWith('SHOW') ? Promise.reject(new AppError('CANCELLED')) : Promise.resolve([['v', 'VIEW']]),
  };
  await expect(leftOutOf(server, 'd')).rejects.toMatchObject({ code: 'CANCELLED' });
});
