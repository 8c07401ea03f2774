import { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import { createMemoryStorage } from '../../testing/memory-storage.ts';
import { initRepository } from '../init-repository.ts';
import { openRepository } from '../open-repository.ts';
import { MAX_FILE_BYTES } from '../read-object.ts';
import { findOpenFault } from './find-open-fault.ts';

const signal = new AbortController().signal;
const options = { hostname: 'db1', username: 'root', created: '2026-01-01T00:00:00Z', cost: { N: 16, r: 1, p: 1 } };

it('finds a key file of absurd length, and throws a wrong password as it is', async () => {
  const storage = createMemoryStorage();
  const place = { storage, prefix: '', label: 'test' };
  await initRepository(place, { ...options, password: 'pw' }, signal);
  const fault = { unlock: { password: 'no' }, error: new AppError('REPOSITORY_WRONG_PASSWORD'), signal };
  await expect(findOpenFault(place, fault)).rejects.toBe(fault.error);
  storage.objects.set(`keys/${'00'.repeat(32)}`, Buffer.alloc(MAX_FILE_BYTES.keys + 1, ' '));
  const { problems } = await findOpenFault(place, fault);
  expect(problems).toMatchObject([{ code: 'key_damaged', object: `keys/${'00'.repeat(32)}` }]);
  expect(problems[0]?.message).toContain('has more than 1048576 bytes');
});

it('blames the keys when there are none, not the config', async () => {
  const storage = createMemoryStorage();
  const place = { storage, prefix: '', label: 'test' };
  await initRepository(place, { ...options, password: 'pw' }, signal);
  for (const key of [...storage.objects.keys()]) if (key.startsWith('keys/')) storage.objects.delete(key);
  const unlock = { password: 'pw' };
  const error: unknown = await openRepository(place, unlock, signal).catch((failure: unknown) => failure);
  const { problems } = await findOpenFault(place, { unlock, error, signal });
  expect(problems).toMatchObject([{ code: 'key_missing', object: 'keys', level: 'error' }]);
});
