import { describe, expect, it } from 'vitest';
import type { DriverManifest, FieldManifest } from '../api/types.ts';
import { exampleAddress, readConnectionString } from './connection-string.ts';

const field = (name: string, more: Partial<FieldManifest> = {}): FieldManifest => ({
  ...{ name, kind: 'text', label: name, required: false, secret: false, advanced: false, multiline: false },
  ...more,
});
const driver: DriverManifest = {
  ...{ kind: 'source', type: 'shopdb', title: 'Shop' },
  fields: [
    ...['dbHost', 'dbPort', 'dbUser', 'dbPassword', 'databases'].map((name) => field(name)),
    field('tlsMode', { options: ['require', 'disable'] }),
  ],
};

describe('a connection string', () => {
  it.each<[string, object | null]>([
    [
      ' postgres://ada:p%40ss%3Aword@db-1:5433/my%20shop?sslmode=require ',
      {
        dbHost: 'db-1',
        dbPort: 5433,
        dbUser: 'ada',
        dbPassword: 'p@ss:word',
        databases: ['my shop'],
        tlsMode: 'require',
      },
    ],
    ['mysql://root@[::1]', { dbHost: '::1', dbUser: 'root' }],
    ['redis://:pw@cache:6379/3', { dbHost: 'cache', dbPort: 6379, dbPassword: 'pw' }],
    ['postgres://db-1/shop?sslmode=odd', { dbHost: 'db-1', databases: ['shop'] }],
    ['mysql://u:100%@h', { dbHost: 'h', dbUser: 'u', dbPassword: '100%' }],
    ['db-1:5432', null],
    ['postgres://db 1/shop', null],
    ['', null],
  ])('%s', (text, expected) => {
    expect(readConnectionString(driver, text)).toEqual(expected);
  });

  it.each<[string, object | null]>([
    [
      'mongodb+srv://u:p%40@c.example/?tls=true',
      { uri: 'mongodb+srv://c.example/?tls=true', dbUser: 'u', dbPassword: 'p@' },
    ],
    ['mongodb://a:1,b:2/?replicaSet=rs', { uri: 'mongodb://a:1,b:2/?replicaSet=rs' }],
    ['mongodb://u@a/', { uri: 'mongodb://a/', dbUser: 'u' }],
    ['a:27017', null],
  ])('%s goes whole into a driver that takes it, but for the login', (text, expected) => {
    expect(readConnectionString({ ...driver, fields: [field('uri')] }, text)).toEqual(expected);
  });

  it.each([
    ['postgresql', 'mysql://root@db', null],
    ['postgresql-physical', 'redis://cache', null],
    ['mysql', 'postgres://db', null],
    ['mysql-physical', 'mariadb://db', { dbHost: 'db' }],
    ['postgresql', 'jdbc://db', { dbHost: 'db' }],
  ])('of another kind of database is refused: %s, %s', (type, text, expected) => {
    expect(readConnectionString({ ...driver, type }, text)).toEqual(expected);
  });

  it('has an example of its own for each driver', () => {
    const port = field('dbPort', { default: 3306 });
    expect(exampleAddress({ ...driver, type: 'mysql', fields: [port, field('databases')] })).toBe(
      'mysql://user:password@host:3306/shop',
    );
    expect(exampleAddress({ ...driver, type: 'mysql-physical', fields: [port] })).toBe(
      'mysql://user:password@host:3306',
    );
    expect(exampleAddress({ ...driver, fields: [] })).toBe('shopdb://user:password@host');
  });
});
