import { describe, expect, it } from 'vitest';
import { chosenDatabases, chosenFiles, fileAfter, nameAfter } from './restore-names.ts';

describe('databases of a restore', () => {
  it.each<[string[], string[]]>([
    [
      ['/postgresql/shop', '/postgresql/a%2Fb/dump.pgc'],
      ['shop', 'a/b'],
    ],
    [['/postgresql/shop/dump.pgc', '/postgresql/shop/inventory.json'], ['shop']],
    [['/postgresql', '/postgresql/shop'], []],
    [['/mysql/100%'], ['100%']],
    [[], []],
  ])('of %j are %j', (paths, names) => {
    expect(chosenDatabases(paths)).toEqual(names);
  });

  it('are known by their paths where they are files', () => {
    const file = (path: string) => ({ path, type: 'file' });
    expect(chosenFiles([file('/sqlite/srv/a.db'), file('/sqlite/srv/a.db.inventory.json')])).toEqual(['/srv/a.db']);
    expect(chosenFiles([file('/sqlite/srv/a.db'), { path: '/sqlite/srv/b', type: 'directory' }])).toEqual([]);
  });

  it('get new paths, also by a folder above them', () => {
    expect(fileAfter('/srv/a/app.db', ['/srv/a/app.db=/copy.db'])).toBe('/copy.db');
    expect(fileAfter('/srv/a/app.db', ['/other=/x', ' /srv/=/mnt/ '])).toBe('/mnt/a/app.db');
    expect(fileAfter('/srv/a=/app.db', ['/srv/a==/b'])).toBe('/b/app.db');
    expect(fileAfter('/srv2/app.db', ['/srv=/mnt'])).toBe('/srv2/app.db');
  });

  it('get new names', () => {
    expect(nameAfter('shop', ['a=b', 'shop=shop_copy'])).toBe('shop_copy');
    expect(nameAfter('shop', ['shopping=x'])).toBe('shop');
    expect(nameAfter('shop', undefined)).toBe('shop');
  });
});
