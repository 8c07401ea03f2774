import { describe, expect, it } from 'vitest';
import { VersionQuestion, versionDifference } from './version-difference.ts';

const between = (saved: string, target: string) => versionDifference('shop', { saved, target });

it.each([
  ['PostgreSQL 15.18', 'PostgreSQL 15.2'],
  ['PostgreSQL 15.18 (Debian 15.18-0+deb12u1)', 'PostgreSQL 15.1'],
  ['MariaDB 10.11.19', 'MariaDB 10.11.2'],
  ['MongoDB 7.0.4', 'MongoDB 7.0.29'],
  ['', 'MongoDB 7.0.29'],
  ['Redis 7.0.15', 'Redis 7.4.1'],
  ['Valkey 8.0.1', 'Valkey 8.1.0'],
  ['Redis 7.0.15', 'Redis'],
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
  ['MySQL 8.0.36', 'MySQL 8.4.0', /newer/],
  ['Redis 7.0.15', 'Redis 6.2.1', /older/],
  ['Redis 7.2.4', 'Valkey 8.0.0', /only one of them knows/],
])('tells that %s is not %s', (saved, target, words) => {
  expect(between(saved, target)).toMatch(words);
});

describe('the question', () => {
  function question(target: string, acceptOtherVersion: boolean) {
    const told: string[] = [];
    const log = (level: string, text: string) => void told.push(`${level}: ${text}`);
    return { told, asked: new VersionQuestion(target, { acceptOtherVersion }, { log }) };
  }

  it.each([
    ['PostgreSQL 16.1', 'PostgreSQL 15.18', 'DATABASE_SERVER_OLDER'],
    ['PostgreSQL 15.18', 'PostgreSQL 16.1', 'DATABASE_SERVER_NEWER'],
    ['MySQL 8.4.0', 'MariaDB 10.11.2', 'DATABASE_SERVER_OTHER'],
  ])('stops before a dump of %s goes to %s', (saved, target, code) => {
    const { asked, told } = question(target, false);
    let error: unknown;
    try {
      asked.ask('shop', saved);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code, params: { name: '"shop"', saved, target }, hint: expect.any(String) });
    expect(told).toEqual([]);
  });

  it('is answered once it was accepted, which is told once for each database', () => {
    const { asked, told } = question('PostgreSQL 16.1', true);
    for (const name of ['shop', 'shop', 'crm']) asked.ask(name, 'PostgreSQL 15.18');
    expect(told).toEqual([
      expect.stringMatching(/^warn: "shop" was dumped from PostgreSQL 15.18/),
      expect.stringMatching(/^warn: "crm" /),
    ]);
  });

  it('is not asked of what is alike, nor of what nobody knows; that is told', () => {
    const { asked, told } = question('PostgreSQL 16.1', false);
    asked.ask('shop', 'PostgreSQL 16.4 (Debian)');
    expect(told).toEqual([]);
    asked.ask('shop', '');
    asked.ask('shop', '');
    expect(told).toEqual([expect.stringMatching(/^info: Whether "shop" .* is unknown/)]);
  });
});
