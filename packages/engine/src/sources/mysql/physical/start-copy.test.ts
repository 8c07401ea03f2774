import { expect, it } from 'vitest';
import type { Flavour } from '../flavour.ts';
import { physicalConfigSchema } from './physical-settings.ts';
import { hostArgs } from './start-copy.ts';

const argsFor = (flavour: Flavour, settings: object) =>
  hostArgs({ server: { flavour, version: '8.0.36' }, config: physicalConfigSchema.parse(settings) });

it('goes to the server by the name that its certificate has', () => {
  expect(argsFor('mariadb', { dbHost: 'localhost', tlsMode: 'verify-full' })).toEqual([]);
  expect(argsFor('mysql', { dbHost: 'localhost', tlsMode: 'verify-full' })).toEqual(['--host=LOCALHOST']);
  expect(argsFor('mysql', { dbHost: 'Localhost' })).toEqual(['--host=127.0.0.1']);
  expect(argsFor('mysql', { dbHost: 'localhost', dbSocket: '/run/mysqld/mysqld.sock' })).toEqual([]);
  expect(argsFor('mysql', { dbHost: 'db.example.com', tlsMode: 'verify-full' })).toEqual([]);
});
