import { expect, test } from 'vitest';
import { snapshotDownload } from './EntryDownload.tsx';

const place = { repositoryId: 3, snapshotId: 'ab12' };

test('names a path whatever is in it', () => {
  const address = snapshotDownload(place, 'raw', '/srv/a & b/50 %.txt');
  const { pathname, searchParams } = new URL(address, 'http://host');
  expect(pathname).toBe('/api/repositories/3/snapshots/ab12/download');
  expect([...searchParams]).toEqual([
    ['path', '/srv/a & b/50 %.txt'],
    ['format', 'raw'],
  ]);
});

test('is everything without a path', () => {
  expect(snapshotDownload(place, 'tar')).toBe('/api/repositories/3/snapshots/ab12/download?format=tar');
});
