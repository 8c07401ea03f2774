import { describe, expect, it } from 'vitest';
import { assertKeyFile, createKeyFile, isCostly, openKeyFile, parseKeyFile } from './key-file.ts';
import { createMasterKey, packMasterKey } from './master-key.ts';
import { RESTIC_KEY, RESTIC_KEY_FILE } from './restic-samples.ts';

const cheap = { N: 16, r: 1, p: 1 };
const about = { username: 'root', hostname: 'db1', created: '2026-01-01T00:00:00Z' };

describe('key file', () => {
  it('opens what restic wrote, with its password only', async () => {
    const key = await openKeyFile(Buffer.from(RESTIC_KEY_FILE), 'geheim');
    expect(key && packMasterKey(key)).toBe(RESTIC_KEY);
    expect(await openKeyFile(Buffer.from(RESTIC_KEY_FILE), 'Geheim')).toBeNull();
  });

  it('opens what it wrote', async () => {
    const masterKey = createMasterKey();
    const file = await createKeyFile({ ...about, password: 'pässword', masterKey, cost: cheap });
    expect(await openKeyFile(file, 'pässword')).toEqual(masterKey);
    expect(await openKeyFile(file, 'password')).toBeNull();
    expect(parseKeyFile(file)).toEqual(about);
    expect(Object.keys(JSON.parse(file.toString()))).toEqual(Object.keys(JSON.parse(RESTIC_KEY_FILE)));
  });

  it('takes about as much work as restic when nothing is said', async () => {
    const file = await createKeyFile({ ...about, password: 'x', masterKey: createMasterKey() });
    expect(JSON.parse(file.toString())).toMatchObject({ kdf: 'scrypt', N: 32768, r: 8, p: 5 });
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['nothing', ''],
    ['another function', RESTIC_KEY_FILE.replace('scrypt', 'argon2')],
    ['absurd memory', RESTIC_KEY_FILE.replace('"N":32768', '"N":1073741824')],
    ['absurd time', RESTIC_KEY_FILE.replace('"p":8', '"p":100000')],
    ['absurd memory for its p uses', RESTIC_KEY_FILE.replace('"N":32768,"r":8,"p":8', '"N":2,"r":65536,"p":64')],
    ['much memory and much time', RESTIC_KEY_FILE.replace('"N":32768,"r":8,"p":8', '"N":262144,"r":8,"p":9')],
    ['a block too small for its N', RESTIC_KEY_FILE.replace('"N":32768,"r":8,"p":8', '"N":65536,"r":1,"p":1')],
    ['N no power of two', RESTIC_KEY_FILE.replace('"N":32768', '"N":1000')],
    ['no salt', RESTIC_KEY_FILE.replace('"salt"', '"pepper"')],
  ])('refuses a file with %s', async (_, text) => {
    const damaged = expect.objectContaining({ code: 'REPOSITORY_DAMAGED' });
    await expect(openKeyFile(Buffer.from(text), 'geheim')).rejects.toEqual(damaged);
    expect(() => assertKeyFile(Buffer.from(text))).toThrow(damaged);
  });

  it('opens one with any other ratio of N, r and p', async () => {
    for (const cost of [
      { N: 32768, r: 1, p: 1 },
      { N: 2, r: 65536, p: 1 },
      { N: 2, r: 1, p: 8192 },
    ]) {
      const masterKey = createMasterKey();
      const file = await createKeyFile({ ...about, password: 'x', masterKey, cost });
      expect(await openKeyFile(file, 'x')).toEqual(masterKey);
    }
  });

  it('tells what it asks for', () => {
    const asking = (p: number) => Buffer.from(RESTIC_KEY_FILE.replace('"p":8', `"p":${p}`));
    expect([8, 9, 64].map((p) => isCostly(asking(p)))).toEqual([false, true, true]);
    expect(() => assertKeyFile(asking(64))).not.toThrow();
    const large = RESTIC_KEY_FILE.replace('"N":32768,"r":8,"p":8', '"N":262144,"r":8,"p":8');
    expect(() => assertKeyFile(Buffer.from(large))).not.toThrow();
    expect(() => assertKeyFile(asking(65))).toThrow('2080 MiB of scrypt');
    // It is listed, so that it can be removed.
    expect(parseKeyFile(asking(65))).toMatchObject({ username: expect.any(String) });
  });
});
