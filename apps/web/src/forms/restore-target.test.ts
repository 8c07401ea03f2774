import { expect, test } from 'vitest';
import { chosenAncestor, toggleEntry } from '../components/ContentsBrowser.tsx';
import { folderBeside } from './restore-target.ts';
import { initialTaskValues, taskBody } from './task-values.ts';

test('a restore goes beside the original by default', () => {
  expect(folderBeside('/srv/www/', '2026-08-11T02:00:00Z')).toBe('/srv/www.restored-20260811');
  expect(folderBeside('/', '2026-08-11T02:00:00Z')).toBe('/restored-20260811');
});

const entry = (path: string, type: 'file' | 'directory' = 'file') => ({
  name: path.split('/').pop() ?? '',
  path,
  type,
  size: 1,
  modifiedAt: null,
  mode: null,
});

test('a chosen folder covers what is below it, and takes its place in the basket', () => {
  let basket = toggleEntry(new Map(), entry('/srv/www/a.txt'));
  basket = toggleEntry(basket, entry('/srv/wwwx/b.txt'));
  basket = toggleEntry(basket, entry('/srv/www', 'directory'));
  expect([...basket.keys()].sort()).toEqual(['/srv/www', '/srv/wwwx/b.txt']);
  expect(chosenAncestor(basket, '/srv/www/a/b')).toBe('/srv/www');
  expect(chosenAncestor(basket, '/srv/www')).toBeUndefined();
  expect(chosenAncestor(basket, '/srv/wwwz')).toBeUndefined();
  expect([...toggleEntry(basket, entry('/srv/www', 'directory')).keys()]).toEqual(['/srv/wwwx/b.txt']);
});

test('a new task sends its schedule, trimmed paths and no empty lines', () => {
  const values = { ...initialTaskValues(null), name: ' www ', sourcePaths: [' /srv/www ', ''], excludes: '*.tmp\n\n' };
  expect(taskBody(values, null)).toMatchObject({
    name: 'www',
    cronExpr: '0 2 * * *',
    sourcePaths: ['/srv/www'],
    excludePatterns: ['*.tmp'],
    encrypt: true,
    enabled: true,
  });
});
