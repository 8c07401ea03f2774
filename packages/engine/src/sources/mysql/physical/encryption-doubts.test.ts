import { expect, it } from 'vitest';
import type { Product } from '../flavour.ts';
import { encryptionDoubts } from './encryption-doubts.ts';

/** A server with these plugins (name, folder) and so many encrypted files; null: it does not know. */
const ask = (flavour: Product['flavour'], plugins: string[][], count: number | null) =>
  encryptionDoubts({
    server: { flavour, version: flavour === 'mysql' ? '8.0.36' : '10.11.6' },
    async query(statement) {
      if (statement.includes('PLUGINS')) return plugins;
      if (count === null) throw new Error('Unknown table');
      return [[String(count)]];
    },
  });
const folder = '/usr/lib/mysql/plugin/';

it('has none where keys are in a file, or nothing is encrypted', async () => {
  expect(await ask('mariadb', [], 0)).toEqual([]);
  expect(await ask('mariadb', [['file_key_management', folder]], 7)).toEqual([]);
  expect(await ask('mariadb', [['hashicorp_key_management', folder]], 0)).toEqual([]);
  expect(await ask('mariadb', [['aws_key_management', folder]], null)).toEqual([]);
  expect(await ask('mysql', [], 0)).toEqual([]);
});

it('names the plugin whose keys it cannot get at, and where one must lie', async () => {
  expect(await ask('mariadb', [['hashicorp_key_management', folder]], 1)).toEqual([
    expect.stringContaining('the plugin hashicorp_key_management'),
  ]);
  expect(await ask('mariadb', [['file_key_management', '/home/db/plugins/']], 1)).toEqual([
    expect.stringContaining('/home/db/plugins/'),
  ]);
  expect(await ask('mysql', [], 3)).toEqual([expect.stringContaining('xtrabackup --prepare')]);
});
