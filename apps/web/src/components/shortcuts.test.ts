import { expect, test } from 'vitest';
import { matchShortcut, shortcuts } from './shortcuts.ts';

test('single keys, sequences and the modifier are told apart', () => {
  expect(matchShortcut('', 'k', true)?.action).toEqual({ open: 'palette' });
  expect(matchShortcut('', 'k', false)).toBeUndefined();
  expect(matchShortcut('g', 'r', false)?.action).toEqual({ go: '/restore' });
  expect(matchShortcut('', 'r', false)).toBeUndefined();
  expect(matchShortcut('', 'n', true)).toBeUndefined();
});

test('no combination appears twice', () => {
  const names = shortcuts.map(({ keys }) => keys.join(' '));
  expect(new Set(names).size).toBe(names.length);
});
