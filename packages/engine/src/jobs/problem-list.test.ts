import { expect, it } from 'vitest';
import { silentReporter } from '../ports/reporter.ts';
import { ProblemList } from './problem-list.ts';

it('counts everything that is missing under one path, and one change of a file once', () => {
  const list = new ProblemList(silentReporter);
  list.add({ path: '/mysql/shop', code: 'unreadable', message: 'table a is missing' });
  list.add({ path: '/mysql/shop', code: 'unreadable', message: 'table b is missing' });
  list.add({ path: '/mysql/shop', code: 'unreadable', message: 'table b is missing' });
  list.add({ path: '/f', code: 'changed', message: 'it grew while it was read' });
  list.add({ path: '/f', code: 'changed', message: 'its time changed' });
  expect(list.count).toBe(3);
  expect(list.listed.map(({ message }) => message)).toEqual([
    'table a is missing',
    'table b is missing',
    'it grew while it was read',
  ]);
});
