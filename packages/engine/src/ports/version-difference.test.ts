import { expect, it } from 'vitest';
import { versionDifference } from './version-difference.ts';

const between = (saved: string, target: string) => versionDifference('shop', { saved, target });

it.each([
  ['PostgreSQL 15.18', 'PostgreSQL 15.2'],
  ['PostgreSQL 15.18 (Debian 15.18-0+deb12u1)', 'PostgreSQL 15.1'],
  ['MariaDB 10.11.19', 'MariaDB 10.11.2'],
  ['MongoDB 7.0.4', 'MongoDB 7.0.29'],
  ['', 'MongoDB 7.0.29'],
])('says nothing of %s and %s', (saved, target) => {
  expect(between(saved, target)).toBeNull();
});

it.each([
  [
    'PostgreSQL 16.1',
    'PostgreSQL 15.18',
    /^"shop" was dumped from PostgreSQL 16.1 and goes to PostgreSQL 15.18, .*older/,
  ],
  ['PostgreSQL 9.6.24', 'PostgreSQL 10.1', /newer/],
  ['PostgreSQL 9.6.24', 'PostgreSQL 9.5.1', /older/],
  ['MariaDB 10.11.19', 'MariaDB 10.6.1', /older/],
  ['MariaDB 10.11.19', 'MariaDB 11.4.2', /newer/],
  ['MongoDB 7.0.4', 'MongoDB 6.0.4', /older/],
  ['MySQL 8.4.0', 'MariaDB 10.11.2', /only one of them knows/],
])('tells that %s is not %s', (saved, target, words) => {
  expect(between(saved, target)).toMatch(words);
});
