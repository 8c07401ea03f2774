import { describe, expect, it } from 'vitest';
import { createMemoryStorage } from '../testing/memory-storage.ts';
import { initRepository } from './init-repository.ts';
import { openRepository } from './open-repository.ts';
import { addKey, listKeys, removeKey } from './repository-keys.ts';

const signal = new AbortController().signal;
const account = { hostname: 'h', username: 'u', created: '2026-01-01T00:00:00Z', cost: { N: 16, r: 1, p: 1 } };

async function makeTwoKeys() {
  const storage = createMemoryStorage();
  const place = { storage, prefix: '', label: 'the test' };
  const first = await initRepository(place, { ...account, password: 'first' }, signal);
  await addKey(first, { ...account, password: 'second' }, signal);
  const open = (password: string) => openRepository(place, { password }, signal);
  return { storage, open, opened: [await open('first'), await open('second')] as const };
}

describe('removeKey', () => {
  it('removes another key, neither the last nor the one in use', async () => {
    const { opened, open } = await makeTwoKeys();
    const [first, second] = opened;
    const invalid = { code: 'INVALID_INPUT' };
    await expect(removeKey(first, first.keyId ?? '', signal)).rejects.toMatchObject(invalid);
    await removeKey(first, second.keyId ?? '', signal);
    await expect(removeKey(first, first.keyId ?? '', signal)).rejects.toMatchObject(invalid);
    await expect(open('second')).rejects.toMatchObject({ code: 'REPOSITORY_WRONG_PASSWORD' });
    expect(await listKeys(first, signal)).toHaveLength(1);
  });

  it('leaves one key when two remove one another at the same moment', async () => {
    const { storage, opened, open } = await makeTwoKeys();
    const [first, second] = opened;
    // Both have looked before either removes.
    const bothLooked = Promise.withResolvers<void>();
    let waiting = 0;
    const remove = storage.delete.bind(storage);
    storage.delete = async (key, deleteSignal) => {
      if (key.startsWith('keys/') && ++waiting === 2) bothLooked.resolve();
      await bothLooked.promise;
      await remove(key, deleteSignal);
    };
    const ends = await Promise.allSettled([
      removeKey(first, second.keyId ?? '', signal),
      removeKey(second, first.keyId ?? '', signal),
    ]);
    expect(ends.map(({ status }) => status)).toContain('rejected');
    // Each saw that the other had removed its key, or the later one did.
    const passwords = await Promise.allSettled([open('first'), open('second')]);
    expect(passwords.map(({ status }) => status)).toContain('fulfilled');
  });
});
