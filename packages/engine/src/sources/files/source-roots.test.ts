import { expect, it } from 'vitest';
import { normalizeRoots, outermostRoots } from './source-roots.ts';

it('puts what lies in a path right behind it, before names that are longer', () => {
  const paths = ['/srv/www.old', '/srv/www/b', '/srv/www-x', '/srv/www/', '/srv/./www/a/c', '/srv/wwwx', '/srv/www'];
  expect(normalizeRoots(paths)).toEqual([
    '/srv/www',
    '/srv/www/a/c',
    '/srv/www/b',
    '/srv/www-x',
    '/srv/www.old',
    '/srv/wwwx',
  ]);
  expect(outermostRoots(paths)).toEqual(['/srv/www', '/srv/www-x', '/srv/www.old', '/srv/wwwx']);
  expect(normalizeRoots(['/a', '/'])).toEqual(['/', '/a']);
});
