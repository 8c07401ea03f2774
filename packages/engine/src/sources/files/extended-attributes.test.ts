import { expect, it } from 'vitest';
import { createXattrReader, type XattrModule } from './extended-attributes.ts';

/** A file system where calls fail as `errnoOf` says; every item has two attributes. */
function createReader(errnoOf: (path: string, name?: string) => number) {
  const fail = (errno: number) => {
    if (errno > 0) throw new Error(`it failed (os error ${errno})`);
  };
  const asked: string[] = [];
  const refused: string[] = [];
  const module: XattrModule = {
    listAttributesSync(path) {
      asked.push(path);
      fail(errnoOf(path));
      return ['user.a', 'user.b'];
    },
    getAttributeSync(path, name) {
      fail(errnoOf(path, name));
      return Buffer.from(name);
    },
    setAttributeSync() {},
  };
  const onRefused = ({ path, name, reason }: Record<'path' | 'name' | 'reason', string>) =>
    void refused.push(`${path} ${name}: ${reason}`);
  return { reader: createXattrReader(onRefused, module), asked, refused };
}

const namesOf = (found: ReadonlyMap<string, Uint8Array> | null) => found && [...found.keys()];

it('asks no more where a file system has none', () => {
  const { reader, asked } = createReader((path) => (path === '/a/1' || path === '/a/2' ? 95 : 0));
  expect(reader.read('/a/1', 1n)).toBeNull();
  expect(reader.read('/a/2', 1n)).toBeNull();
  expect(namesOf(reader.read('/b', 2n))).toEqual(['user.a', 'user.b']);
  expect(asked).toEqual(['/a/1', '/b']);
});

it.each([1, 22])('goes on asking after an item that may have none (errno %d)', (errno) => {
  const { reader } = createReader((path) => (path === '/a' ? errno : 0));
  expect(reader.read('/a', 1n)).toBeNull();
  expect(namesOf(reader.read('/b', 1n))).toEqual(['user.a', 'user.b']);
});

it.each([1, 13, 22])('reads the others, and says so, when one is refused (errno %d)', (errno) => {
  const { reader, refused } = createReader((_path, name) => (name === 'user.a' ? errno : 0));
  expect(namesOf(reader.read('/denied', 1n))).toEqual(['user.b']);
  expect(refused).toEqual([`/denied user.a: it failed (os error ${errno})`]);
  expect(namesOf(reader.read('/denied', 1n))).toEqual(['user.b']);
});

it('says when the list of them is refused', () => {
  const { reader } = createReader((path) => (path === '/denied' ? 13 : 0));
  expect(() => reader.read('/denied', 1n)).toThrow('os error 13)');
  expect(namesOf(reader.read('/b', 1n))).toEqual(['user.a', 'user.b']);
});

it('passes over one that nobody can read', () => {
  const { reader, refused } = createReader((_path, name) => (name === 'user.a' ? 95 : 0));
  expect(namesOf(reader.read('/odd', 1n))).toEqual(['user.b']);
  expect(namesOf(reader.read('/odd', 1n))).toEqual(['user.b']);
  expect(refused).toEqual([]);
});

it('counts names that are not UTF-8', () => {
  const { reader } = createReader(() => 0);
  expect(reader.read('/\xff', 1n)).toBeNull();
  expect(reader.unaskedCount).toBe(1);
});
