import { expect, it } from 'vitest';
import { isWanted } from './wanted-paths.ts';

it('tells what is chosen', () => {
  expect(isWanted('/mysql/shop/dump.sql', null)).toBe(true);
  expect(isWanted('/mysql/shop/dump.sql', ['/mysql/shop'])).toBe(true);
  expect(isWanted('mysql/shop', ['/mysql/shop/'])).toBe(true);
  expect(isWanted(Buffer.from('mysql/shop/ü'), ['/other', '/mysql/shop'])).toBe(true);
  expect(isWanted('/mysql/shop2', ['/mysql/shop'])).toBe(false);
  expect(isWanted('/mysql/shop', [])).toBe(false);
});
