/** The stock `age` program opens what we seal, and we open what it seals. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAgeKey, decryptAge, encryptAge } from '../../packages/engine/src/archive/encryption.ts';
import { collect, inChunks, noise } from '../../packages/engine/src/archive/sample-entries.ts';
import { makeTempDir, run } from './archive-samples.ts';

const signal = new AbortController().signal;
const temp = makeTempDir();
const keyFile = join(temp.path, 'key');
let key: { identity: string; recipient: string };

beforeAll(async () => {
  key = await createAgeKey();
  writeFileSync(keyFile, `${key.identity}\n`, { mode: 0o600 });
});
afterAll(() => temp.remove());

describe('age', () => {
  it('derives the same recipient from our identity', () => {
    expect(run('age-keygen', ['-y', keyFile]).toString().trim()).toBe(key.recipient);
  });

  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 5_000_003])(
    'opens our %i bytes and seals them for us',
    async (size) => {
      const data = noise(size);
      const ours = await collect(encryptAge(inChunks(data, 300_000), [key.recipient], { signal }));
      expect(run('age', ['-d', '-i', keyFile], ours).equals(data)).toBe(true);
      const theirs = run('age', ['-r', key.recipient], data);
      expect((await collect(decryptAge(inChunks(theirs, 100_000), [key.identity], { signal }))).equals(data)).toBe(
        true,
      );
    },
  );

  it('refuses what we refuse: another key, a missing end', async () => {
    const stranger = await createAgeKey();
    const sealed = run('age', ['-r', stranger.recipient], noise(70_000));
    await expect(collect(decryptAge(inChunks(sealed, 1000), [key.identity], { signal }))).rejects.toMatchObject({
      code: 'ARTIFACT_KEY_WRONG',
    });
    const ours = await collect(encryptAge(inChunks(noise(70_000), 1000), [key.recipient], { signal }));
    expect(() => run('age', ['-d', '-i', keyFile], ours.subarray(0, -1))).toThrow();
  });
});
