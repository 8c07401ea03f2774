import { expect, it } from 'vitest';
import type { PsqlSession } from './psql-session.ts';
import type { OtherSession } from './restore-plan.ts';
import { clearSessions } from './swap-databases.ts';

const other: OtherSession = { pid: 7, user: 'app', program: 'backupx', address: null, since: '' };

/** Answers one list of sessions after the other, the last one again and again. */
function sessionThat(...lists: OtherSession[][]): PsqlSession {
  const query = async () => (lists.length > 1 ? lists.shift() : lists[0]) ?? [];
  return { query } as unknown as PsqlSession;
}

it('waits for a session of its own that is about to go', async () => {
  await clearSessions(sessionThat([other], [other], []), 'shop', { endSessions: false });
});

it('waits for nobody else, and not for ever', async () => {
  const stranger = { ...other, program: 'till' };
  const refused = { code: 'DATABASE_IN_USE' };
  await expect(clearSessions(sessionThat([stranger], []), 'shop', { endSessions: false })).rejects.toMatchObject(
    refused,
  );
  await expect(clearSessions(sessionThat([other]), 'shop', { endSessions: false })).rejects.toMatchObject(refused);
});
