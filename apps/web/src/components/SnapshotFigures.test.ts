import { expect, test } from 'vitest';
import { newShare } from './SnapshotFigures.tsx';

test.each([
  [{ bytesAdded: 0, bytesTotal: 0 }, 0],
  [{ bytesAdded: 512, bytesTotal: 0 }, 100],
  [{ bytesAdded: 25, bytesTotal: 100 }, 25],
  [{ bytesAdded: 130, bytesTotal: 100 }, 100],
  [{ bytesAdded: 0, bytesTotal: 100 }, 0],
])('of %o is %d %%', (figures, share) => {
  expect(newShare(figures)).toBe(share);
});
