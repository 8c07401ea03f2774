import { expect, it } from 'vitest';
import { findBreak, type LogIdentity } from './find-break.ts';

const identity = (more: Partial<LogIdentity>): LogIdentity => ({
  ...{
    name: 'bin.000001',
    serverId: 1,
    gtids: ['0-1-5', '2-3-9'],
    startGtids: [],
    nextFile: 'bin.000002',
    end: 'rotate',
  },
  ...more,
});
const next = (more: Partial<LogIdentity>) => identity({ name: 'bin.000002', nextFile: null, end: 'open', ...more });

it.each([
  ['the same', {}, { startGtids: ['0-1-5', '2-3-9'] }, null],
  ['a domain that was deleted', {}, { startGtids: ['2-3-9'] }, null],
  ['another number of one server', {}, { serverId: 2, startGtids: ['0-1-5'] }, null],
  ['another server by its number', {}, { serverId: 2 }, 'with the id 2'],
  ['another one by its transactions', {}, { startGtids: ['0-1-6'] }, '0-1-6'],
  ['a domain nobody knows', {}, { startGtids: ['7-1-1'] }, 'none of its domain'],
  ['a transaction that a killed server forgot', { end: 'open', nextFile: null }, { startGtids: ['0-1-4'] }, null],
  [
    'another server behind a killed one',
    { end: 'open', nextFile: null },
    { serverId: 2, startGtids: ['0-1-4'] },
    'id 2',
  ],
  ['another file', { nextFile: 'new.000001' }, { startGtids: ['0-1-5'] }, 'new.000001'],
  ['logs with others between them', {}, { name: 'bin.000003', serverId: 2 }, null],
] as const)('knows %s', (_, previous, following, expected) => {
  const reason = findBreak(identity(previous), next(following as Partial<LogIdentity>));
  if (expected === null) expect(reason).toBe(null);
  else expect(reason).toContain(expected);
});
