import { expect, it } from 'vitest';
import { readText } from '../../ports/entry-content.ts';
import { peekServer, savedServer } from './saved-server.ts';

const dumpOf = (version: string, before = '') =>
  `${before}-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version\t${version}

/*!40101 SET NAMES utf8mb4 */;
`;

async function* inPieces(text: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 7) yield Buffer.from(text.slice(at, at + 7));
}

it.each([
  ['8.0.36', '', 'MySQL 8.0.36'],
  ['8.0.36-28.1 Percona', '', 'MySQL 8.0.36'],
  ['10.11.19-MariaDB-0+deb12u1', '/*M!999999\\- enable the sandbox mode */ \n', 'MariaDB 10.11.19'],
  ['5.5.5-10.3.39-MariaDB', '', 'MariaDB 10.3.39'],
])('reads the server of a dump: %s', async (version, before, server) => {
  const text = dumpOf(version, before);
  const { found, content } = await peekServer(inPieces(text));
  expect([found, await readText(content)]).toEqual([server, text]);
});

it('does not know that of a dump without comments, nor of anything else', async () => {
  const text = '/*!40101 SET NAMES utf8mb4 */;\n'.repeat(1000);
  const { found, content } = await peekServer(inPieces(text));
  expect([found, (await readText(content)) === text]).toEqual([null, true]);
  const entry = (path: string) => savedServer({ path: Buffer.from(path), content: inPieces(dumpOf('8.0.36')) });
  expect(await entry('/mysql/shop/dump.sql')).toBe('MySQL 8.0.36');
  expect(await entry('/mysql/grants.sql')).toBeNull();
});
