import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openLog } from './open-direct-storage.ts';

it.skipIf(!existsSync('/dev/full'))('goes on without its log when the disk is full', () => {
  expect(() => openLog('/dev/full')('pushed')).not.toThrow();
});
