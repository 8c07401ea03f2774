import { expect, test } from 'vitest';
import { kitStateOf } from './RepositoryKit.tsx';

const madeAt = '2026-08-01T00:00:00Z';

test.each([
  ['2026-08-02T00:00:00Z', null, 'own'],
  [null, null, 'none'],
  [null, '2026-07-31T00:00:00Z', 'none'],
  [null, '2026-08-01T00:00:01Z', 'whole'],
])('own kit saved %s, that of the installation %s: %s', (recoveryKitDownloadedAt, wholeSavedAt, state) => {
  expect(kitStateOf({ recoveryKitDownloadedAt, createdAt: madeAt }, wholeSavedAt)).toBe(state);
});
