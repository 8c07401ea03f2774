import { expect, it } from 'vitest';
import { decodePercent } from './decode-percent.ts';

it.each([
  ['us%40er', 'us@er'],
  ['50%-off%40home', '50%-off@home'],
  ['%', '%'],
  ['%4', '%4'],
  ['%E2%9C%93 %ff', '✓ %ff'],
  ['', ''],
])('reads %j as %j', (text, meant) => {
  expect(decodePercent(text)).toBe(meant);
});
