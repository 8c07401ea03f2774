import fc from 'fast-check';
import { expect, it } from 'vitest';
import { baseNameOf, keyPrefixOf, safeTaskName } from './name-objects.ts';

it.each([
  ['Dokumente & mehr', 'Dokumente-mehr'],
  ['Café (täglich)', 'Cafe-taglich'],
  ['../../etc/passwd', 'etc-passwd'],
  ['数据库', 'task'],
  ['...', 'task'],
])('%s becomes %s', (name, expected) => {
  expect(safeTaskName(name)).toBe(expected);
});

it('any name gives a safe, short, non-empty part of a key', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (name) => {
      expect(safeTaskName(name)).toMatch(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,58}[A-Za-z0-9])?$/);
    }),
  );
});

it('a key holds task and record, a file the start in UTC', () => {
  expect(keyPrefixOf({ id: 7, name: 'web' }, 12)).toBe('web-7/r12');
  expect(baseNameOf('web', new Date('2026-01-31T23:59:58.123Z'))).toBe('web-20260131T235958Z');
});
