import { expect, it } from 'vitest';
import type { RestoreContext } from '../../ports/source.ts';
import type { PsqlSession } from './psql-session.ts';
import { RestoreRoles } from './restore-roles.ts';

const ABOUT = { server: 'here', database: 'shop' };

/** A server with these roles and their comments, and a restore into it. */
function restoreInto(comments: Record<string, string>) {
  const [said, problems]: [string[], string[]] = [[], []];
  const session = {
    run: async (sql: string) => {
      said.push(sql);
      const plain = sql.replaceAll("''", "'");
      const [, wanted, way, mark = ''] = /rolname = '(\w+)' AND shobj_\S+ \S+ (=|LIKE) '([^']*)'/.exec(plain) ?? [];
      const has = (text: string) => (way === '=' ? text === mark : text.startsWith(mark.slice(0, -1)));
      if (wanted !== undefined && !has(comments[wanted] ?? '')) return;
      const [, name = '', text] = /COMMENT ON ROLE "([^"]*)" IS (NULL|'[^']*')/.exec(plain) ?? [];
      if (text) comments[name] = text === 'NULL' ? '' : text.slice(1, -1);
      const dropped = /DROP ROLE "([^"]*)"/.exec(plain)?.[1];
      if (dropped) delete comments[dropped];
    },
    query: async (sql: string) => {
      const wanted = [...sql.matchAll(/'([a-z]+)'/g)].map(([, name = '']) => name);
      // Either those with a comment of ours are asked for, or those that are not there.
      const isFound = (name: string) => (sql.includes('shobj_description') ? comments[name] : !(name in comments));
      return wanted.filter(isFound).map((name) => ({ name }));
    },
    close: async () => {},
  } as unknown as PsqlSession;
  const context = {
    options: { restoreGlobals: true },
    log() {},
    problem: ({ path }: { path: string }) => problems.push(path),
  };
  const open = async () => session;
  return { roles: new RestoreRoles(context as unknown as RestoreContext, open), session, open, said, problems };
}

it('leaves no role of a restore without globals for the next one to take', async () => {
  const comments: Record<string, string> = {};
  const { roles, session, problems } = restoreInto(comments);
  await roles.prepare(session, ['owner'], ABOUT);
  expect(comments.owner).toMatch(/made for a restore/);
  await roles.applyGlobals();
  await roles.finish();
  expect([comments, problems]).toEqual([{ owner: '' }, ['owner']]);
});

it('drops what it made when it fails, and nothing that was there', async () => {
  const comments: Record<string, string> = { kept: 'BackupX: made for a restore, without its password' };
  const { roles, session, open } = restoreInto(comments);
  await roles.prepare(session, ['kept', 'made'], ABOUT);
  // Another database of the same restore.
  await roles.prepare(session, ['kept', 'made'], ABOUT);
  await roles.rollback(open);
  expect(Object.keys(comments)).toEqual(['kept']);
});

it('leaves what another restore has come to use meanwhile', async () => {
  const comments: Record<string, string> = {};
  const [first, second] = [restoreInto(comments), restoreInto(comments)];
  await first.roles.prepare(first.session, ['shared', 'made'], ABOUT);
  await second.roles.prepare(second.session, ['shared', 'own'], ABOUT);
  await first.roles.rollback(first.open);
  expect(Object.keys(comments).sort()).toEqual(['own', 'shared']);
  await second.roles.applyGlobals();
  await second.roles.finish();
  expect([comments, second.problems]).toEqual([{ own: '', shared: '' }, ['shared', 'own']]);
});
