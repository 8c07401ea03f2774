import { expect, it } from 'vitest';
import { counted, peek, readText, toItsEnd } from './entry-content.ts';

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

it('looks at the beginning, and gives all of it', async () => {
  let read = '';
  const find = (head: Buffer) => (head.toString().includes('bc') ? head.length : null);
  const some = await peek(
    letters('abcde', (letter) => (read += letter)),
    find,
  );
  expect([some.found, read]).toEqual([3, 'abc']);
  expect(await readText(some.content)).toBe('abcde');
  const none = await peek(letters('axcde'), find, 2);
  expect([none.found, await readText(none.content)]).toEqual([null, 'axcde']);
  const short = await peek(letters(''), find);
  expect([short.found, await readText(short.content)]).toEqual([null, '']);
});

it('ends what it has looked at when its reader stops', async () => {
  let isEnded = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from('a');
    } finally {
      isEnded = true;
    }
  }
  const { content } = await peek(endless(), () => true);
  for await (const _ of content) break;
  expect(isEnded).toBe(true);
});

it('counts', async () => {
  let size = 0;
  const text = await readText(counted(letters('abc'), (bytes) => (size += bytes)));
  expect([text, size]).toEqual(['abc', 3]);
});
