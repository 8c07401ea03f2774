import { expect, it } from 'vitest';
import { judgeReceiver } from './judge-receiver.ts';

const facts = { server: 'PostgreSQL at db-1:5432', user: 'u', slot: 's' };
const judge = (messages: string) => judgeReceiver({ exitCode: 1, signal: null, messages }, facts)?.code ?? null;
const STREAM = 'pg_receivewal: error: unexpected termination of replication stream: ';

it.each([
  [`${STREAM}ERROR:  requested WAL segment 000000010000000000000002 has already been removed`, 'WAL_GAP'],
  [`${STREAM}FEHLER:  das angeforderte WAL-Segment 000000010000000000000002 wurde schon entfernt`, 'WAL_GAP'],
  [`${STREAM}ERROR:  要求された WAL セグメント 000000010000000000000002 はすでに削除されています`, 'WAL_GAP'],
  [`${STREAM}FEHLER:  konnte Datei »pg_wal/000000010000000000000002« nicht öffnen: Keine Berechtigung`, null],
  [`${STREAM}FEHLER:  konnte nicht aus WAL-Segment 000000010000000000000002, Position 8192 lesen: E/A-Fehler`, null],
  [`${STREAM}FATAL:  Verbindung wird abgebrochen aufgrund von Anweisung des Administrators`, null],
  [
    'pg_receivewal: error: could not send replication command "START_REPLICATION": ERROR:  replication slot "s" does not exist',
    'DATABASE_NOT_FOUND',
  ],
  ['psql: error: FATAL:  password authentication failed for user "u"', 'DATABASE_AUTH'],
  ['FEHLER:  42501: muss Superuser oder Replikationsrolle sein', 'DATABASE_PERMISSION'],
  ['FEHLER:  55006: Replikations-Slot »s« ist aktiv für PID 7', 'DATABASE_IN_USE'],
  [
    'psql: error: connection to server at "db-1", port 5432 failed: SSL error: certificate verify failed',
    'DATABASE_TLS',
  ],
  ['pg_receivewal: error: could not receive data from WAL stream: SSL error: unexpected eof while reading', null],
  ['could not connect to server: Connection refused', null],
])('takes %s for %s', (messages, expected) => {
  expect(judge(messages)).toBe(expected);
});
