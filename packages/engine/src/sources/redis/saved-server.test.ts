import { expect, it } from 'vitest';
import { readText } from '../../ports/entry-content.ts';
import { peekServer, savedServer } from './saved-server.ts';

const field = (name: string, value: string) =>
  `\xfa${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`;
const head = (...fields: string[]) => `REDIS0011${fields.join('')}${field('ctime', 'x')}\xfe\x00`;

async function* inPieces(text: string): AsyncGenerator<Uint8Array> {
  for (const letter of text) yield Buffer.from(letter, 'latin1');
}

it.each([
  [head(field('redis-ver', '7.0.15'), field('redis-bits', '64')), 'Redis 7.0.15'],
  [head(field('valkey-ver', '8.1.0')), 'Valkey 8.1.0'],
  [head(), null],
  ['this is no dump', null],
  ['', null],
])('reads the server of a dump: %j', async (text, server) => {
  const { found, content } = await peekServer(inPieces(text));
  expect([found, await readText(content)]).toEqual([server, Buffer.from(text, 'latin1').toString('utf8')]);
});

it('looks into the dump alone', async () => {
  const entry = (path: string) =>
    savedServer({ path: Buffer.from(path), content: inPieces(head(field('redis-ver', '7.0.15'))) });
  expect(await entry('/redis/dump.rdb')).toBe('Redis 7.0.15');
  expect(await entry('/redis/inventory.json')).toBeNull();
});
