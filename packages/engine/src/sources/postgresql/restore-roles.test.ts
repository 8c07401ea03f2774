import { expect, it } from 'vitest';
import type { RestoreContext } from '../../ports/source.ts';
import type { PsqlSession } from './psql-session.ts';
import { RestoreRoles } from './restore-roles.ts';

const ABOUT = { server: 'here', database: 'shop' };

type Comments = Record<string, string>;

/** `true`, or what a comment is or begins with; all parts of it. */
function holds(condition: string, comment: string): boolean {
  return condition.split(' AND ').every((part) => {
    const [, not, way, text = ''] = /^(NOT )?shobj_\S+ \S+ (=|LIKE) '([^']*)'$/.exec(part) ?? [];
    if (way === undefined) return part === 'true';
    const isSo = way === '=' ? comment === text : comment.startsWith(text.slice(0, -1));
    return isSo !== (not !== undefined);
  });
}

/** What a script does to the roles: the first of its branches whose condition holds. */
function run(script: string, comments: Comments): void {
  const branches = script.matchAll(
    /IF (NOT )?EXISTS \(SELECT FROM pg_roles WHERE rolname = '(\w+)' AND (.*?)\) THEN (.*?;)(?= ELS| END)/g,
  );
  for (const [, not, role = '', condition = '', statements = ''] of branches) {
    const isFound = role in comments && holds(condition, comments[role] ?? '');
    if (isFound === (not !== undefined)) continue;
    const [, name = '', text] = /COMMENT ON ROLE "([^"]*)" IS (NULL|'[^']*')/.exec(statements) ?? [];
    if (text) comments[name] = text === 'NULL' ? '' : text.slice(1, -1);
    const dropped = /DROP ROLE "([^"]*)"/.exec(statements)?.[1];
    if (dropped) delete comments[dropped];
    return;
  }
}

/** A server with these roles and their comments, and a restore into it; `meanwhile` is what another does before a script. */
function restoreInto(comments: Comments, meanwhile: () => void = () => {}) {
  const [said, problems]: [string[], string[]] = [[], []];
  const session = {
    run: async (sql: string) => {
      meanwhile();
      said.push(sql);
      run(sql.replaceAll("''", "'"), comments);
    },
    query: async (sql: string) => {
      const [, condition] = /rolname IN \([^)]*\)\s+AND (.*)/.exec(sql) ?? [];
      const [list = ''] = sql.split(/\s+AND /);
      const wanted = [...list.matchAll(/'([a-z]+)'/g)].map(([, name = '']) => name);
      // Either those with a comment are asked for, or those that are not there.
      const isFound = (name: string) =>
        condition === undefined ? !(name in comments) : holds(condition, comments[name] ?? '');
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

it.each([
  ['makes', { owner: 'BackupX: made for a restore, without its password (aa)' }, { owner: '' }],
  ['makes and finishes', { owner: '' }, { owner: '' }],
  ['drops', null, {}],
] as const)('takes a role for what it is when another restore %s it in that very moment', async (_, made, left) => {
  const comments: Comments = made === null ? { owner: 'BackupX: made for a restore, without its password' } : {};
  let isDone = false;
  const { roles, session, open } = restoreInto(comments, () => {
    if (isDone) return;
    isDone = true;
    if (made === null) delete comments.owner;
    else Object.assign(comments, made);
  });
  await roles.prepare(session, ['owner'], ABOUT);
  expect(Object.keys(comments)).toEqual(['owner']);
  if (made === null) await roles.rollback(open);
  else await roles.finish();
  expect(comments).toEqual(left);
});
