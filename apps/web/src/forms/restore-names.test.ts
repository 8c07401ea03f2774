import { describe, expect, it } from 'vitest';
import { chosenDatabases, nameAfter } from './restore-names.ts';

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

  it('get new names', () => {
    expect(nameAfter('shop', ['a=b', 'shop=shop_copy'])).toBe('shop_copy');
    expect(nameAfter('shop', ['shopping=x'])).toBe('shop');
    expect(nameAfter('shop', undefined)).toBe('shop');
  });
});
