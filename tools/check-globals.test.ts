import { expect, it } from 'vitest';
import { findForbidden } from './check-globals.ts';

it('finds the clock and the environment in code, not in comments', () => {
  const text = [
    'const a = Date.now();',
    '// Date.now() is banned',
    ' * `process.env`',
    'const b = new Date(value);',
    'read(process.env.HOME);',
  ].join('\n');
  expect(findForbidden('x.ts', text)).toEqual([
    'x.ts:1: Date.now() is not allowed here; take a Clock',
    'x.ts:5: process.env is not allowed here; read it in the configuration loader',
  ]);
});
