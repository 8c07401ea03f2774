import { expect, it } from 'vitest';
import { counted, readText, toItsEnd } from './entry-content.ts';

async function* letters(text: string, onLetter: (letter: string) => void = () => {}): AsyncGenerator<Uint8Array> {
  for (const letter of text) {
    onLetter(letter);
    yield Buffer.from(letter);
  }
}

it('reads a list, and no endless one', async () => {
  expect(await readText(letters('äbc'))).toBe('äbc');
  await expect(readText(letters('abc'), 2)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
});

it('reads what is left when its reader stops', async () => {
  let read = '';
  for await (const _ of toItsEnd(letters('abc', (letter) => (read += letter)))) break;
  expect(read).toBe('abc');
});

it('counts', async () => {
  let size = 0;
  const text = await readText(counted(letters('abc'), (bytes) => (size += bytes)));
  expect([text, size]).toEqual(['abc', 3]);
});
