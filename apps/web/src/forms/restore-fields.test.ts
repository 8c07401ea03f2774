import { expect, test } from 'vitest';
import type { FieldManifest } from '../api/types.ts';
import { addressesOf, defaultsOf, hasAddress, otherServerFields } from './restore-fields.ts';

const field = (name: string, more: Partial<FieldManifest> = {}): FieldManifest => ({
  ...{ name, kind: 'text', label: name, required: false, secret: false, advanced: false, multiline: false },
  ...more,
});
const fields = [
  field('dbHost', { help: 'Empty: the server of the task.', default: '' }),
  field('dbSocket'),
  field('dbPort', { kind: 'number', default: 3306 }),
  field('dbPassword', { secret: true, help: 'Empty: that of the task.' }),
  field('rename', { help: 'One per line.' }),
];

test('any address will do, and none is no server', () => {
  expect(addressesOf(fields).map(({ name }) => name)).toEqual(['dbHost', 'dbSocket']);
  expect(hasAddress(fields, defaultsOf(fields))).toBe(false);
  expect(hasAddress(fields, { dbHost: '  ' })).toBe(false);
  expect(hasAddress(fields, { dbSocket: '/run/db.sock' })).toBe(true);
  expect(defaultsOf(fields)).toEqual({ dbHost: '', dbPort: 3306 });
});

test('of another server the address is asked for, and nothing is said to come from the task', () => {
  const [host, socket, port, password, rename] = otherServerFields(fields);
  expect([host?.required, host?.help, password?.help]).toEqual([true, undefined, undefined]);
  expect([socket, port, rename]).toEqual([fields[1], fields[2], fields[4]]);
});
