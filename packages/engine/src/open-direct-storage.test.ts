import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openLog } from './open-direct-storage.ts';

it('says which setting is wrong when the log cannot be opened', () => {
  expect(() => openLog('/nonexistent/log')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

it.skipIf(!existsSync('/dev/full'))('goes on without its log when the disk is full', () => {
  expect(() => openLog('/dev/full')('pushed')).not.toThrow();
});
