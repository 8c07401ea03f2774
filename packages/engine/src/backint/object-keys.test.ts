import { expect, it } from 'vitest';
import { systemClock } from '../ports/clock.ts';
import { isStorageKey } from '../ports/storage-key.ts';
import { fileFolder, newEbid, objectName, readKey, userFolder } from './object-keys.ts';

it('makes keys of any name, and names of keys', () => {
  const ebid = newEbid(systemClock);
  for (const file of [
    '/usr/sap/x',
    'x',
    '/',
    '//a',
    '../..',
    './.hidden',
    '/a b/"c"\\',
    '_',
    '/_/%',
    'ü*:',
    'a'.repeat(200),
  ]) {
    const key = `${fileFolder('p/q', 'H D/B', file)}${objectName(ebid, true)}`;
    expect(isStorageKey(key), key).toBe(true);
    expect(key.split('/').some((part) => part.startsWith('.'))).toBe(false);
    const found = readKey(key, userFolder('p/q', 'H D/B'));
    expect(found).toEqual({ key, file, ebid, isEncrypted: true, createdAt: new Date(Number(ebid.slice(0, 13))) });
  }
});

it('takes no other object for one of its own', () => {
  for (const name of [
    'x',
    'a/x.zst',
    'a/0000000000001-0123456789ab',
    '0000000000001-0123456789ab.zst',
    '%zz/0000000000001-0123456789ab.zst',
  ]) {
    expect(readKey(`p/u/${name}`, 'p/u/'), name).toBe(null);
  }
});

it('makes ids that sort by time, also within one millisecond and when the clock goes back', () => {
  let ms = 1_900_000_000_000;
  const clock = { ...systemClock, now: () => new Date(ms) };
  const ids = [newEbid(clock), newEbid(clock)];
  ms -= 5000;
  ids.push(newEbid(clock));
  expect(ids.toSorted()).toEqual(ids);
});
