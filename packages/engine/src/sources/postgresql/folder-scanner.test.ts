import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { dumpObjects } from './dump-inventory.ts';
import { placeOf } from './entry-paths.ts';
import { FolderScanner } from './folder-scanner.ts';

/** `toc.dat` of what pg_dump 15.18 wrote (-Fd -Z0) of three tables and two large objects; packed. */
const TOC = inflateSync(
  Buffer.from(
    'eNqllu1v0kAYwDs3dRKnMXG6JToflxhY3AgtL0LMTDroNmJpm9Jp9omUcmPNupbQw+AXv/kvqn+Od0ehlLWMsUvuuLs+3P2el3vutJNaQ1t5xq2tr3Ks' +
      '5GnD+k9os0ObFG1+ceOyTmrP83G3j3wmwBezfBkyNdS2TRfY6CD3sYPavDDg9xYReU7XfbMx3mGF1FzQ0t0kparW6spJdPBgDNiUDLAcG7m4hVzL69hu' +
      'Fw4hfWYcl9OfUyt0ncSGe0jqhen4aDRk5W0sCTVD06g1DZ3s3pwdMppMQONj0+2Y/U7L8twLr39NiFo+7pMfn5J57nJcO8lckqhXTzXROJ0dMq4ym5Ol' +
      'qgG9bssysel43ayPMAO0u5m0j8y+ddnqmfgyvQ9pUtnme0txvptwrlHfCyWBoRajoUMHNdEQj8SmNMLskVrVJdGQYPwBxuLwvW6cgiE1NJl+PwSMrnuO' +
      'iVEOxhExcTrIalWUpZamq9/qNUknHxy7bQXTVKyaJYIHNDy4LYqhq9rNLeN1jyoRpz7EuunFlLqTLbjHVGW10ZAUg8lxSjgBqhJjh3oT0h10YQ4cDGaH' +
      'hJZNIsvE9g8ExJkusrDtudAhPm6bPpoXaAmaMKfl88XKlEp/uahHixUmz5fyFZ71iDPwT9YjvHLgz4PQn2wWeoO2Y1tZJgyZFJBig+1i1EX9FIk1bnvs' +
      'jJvygSLcIwrN5kOgS2T2bvfLn0QlygVmfDyrwJcEBfAsPCiqAcqZLO+z+SGJziFmGm3GaoTvr82/ZJeUWQYfwsIO2SWyu3dwCJO/vwqvI3lCKPF51il8' +
      '4vlo50hWj0YafIjNZI7XsvqIJINMmv4nTckTJQeuY7tXoeRyh3wrkV2Idu7GLizMLizPvrkR5KYgNcUd5dQ4clgKYgE1tcUuy1La+cyJtvfgWFcb5P4j' +
      'lzDRIwyN27MO3UHgi6FMPl+oZEke417G404O7XzU9zOo5Oza+zC8N2khQlpmpK8SDBseyLuZNTiX9zdraRq2mGOw2zOwITIN2eZUb3XeCyD5LUBfkG3H' +
      'a/tZ7Fnc76fRA5MrTcwzeuVhwK3eFRrZqKoq5GUl1sm1SMU5iVRRNshdPrKeqsihR1neEms1CP8VrAWaXm+I+jl8lc6pHYnxhHkrAct1N5ZJSHWLRwkt' +
      '/wHWhvLc',
    'base64',
  ),
);

const LIST = '4711 blob_4711.dat\n4712 blob_4712.dat\n';
const whole = (): Record<string, string | Buffer> => ({
  '3348.dat': '1\tone\n2\ttwo\n\\.\n\n\n',
  '3349.dat': '\\.\n\n\n',
  '3350.dat': '1\n\\.\n\n\n',
  'blob_4711.dat': 'a\n',
  'blob_4712.dat': '',
  'blobs.toc': LIST,
  'toc.dat': TOC,
});

/** Contents in which these two files have changed places. */
function exchanged(one: string, other: string): Buffer {
  const text = TOC.toString('latin1');
  // Texts have a sign and their length before them.
  const stored = (name: string) => `\0${String.fromCharCode(name.length)}\0\0\0${name}`;
  const changed = text
    .replace(stored(one), '\x01first')
    .replace(stored(other), stored(one))
    .replace('\x01first', stored(other));
  return Buffer.from(changed, 'latin1');
}

async function scan(files: Record<string, string | Buffer>, step = 1000): Promise<FolderScanner> {
  const scanner = new FolderScanner((reason) => new Error(reason));
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    async function* pieces() {
      for (let at = 0; at < bytes.byteLength; at += step) yield bytes.subarray(at, at + step);
    }
    const passed: Uint8Array[] = [];
    for await (const chunk of scanner.taking(name, pieces())) passed.push(chunk);
    expect(Buffer.concat(passed)).toEqual(bytes);
  }
  return scanner;
}

describe('a dump in files', () => {
  it('is read the same however its bytes are cut', async () => {
    for (const step of [1, 2, 5, 1000]) {
      const scanner = await scan(whole(), step);
      const objects = dumpObjects(scanner.end(), scanner);
      expect(objects.filter(({ kind }) => kind === 'table')).toEqual([
        { kind: 'table', name: 'public.empty', rows: 0 },
        { kind: 'table', name: 'public.t', rows: 2 },
        { kind: 'table', name: 'public."x y"', rows: 1 },
      ]);
      expect(objects).toContainEqual({ kind: 'large objects', name: 'all', rows: 2 });
    }
  });

  it.each<[string, Record<string, string | Buffer | undefined>, RegExp]>([
    ['no contents', { 'toc.dat': undefined }, /toc\.dat.* is missing/],
    ['contents cut off', { 'toc.dat': TOC.subarray(0, 900) }, /ends within its table of contents/],
    ['contents with more behind them', { 'toc.dat': Buffer.concat([TOC, Buffer.from('x')]) }, /something behind/],
    ['a table that is missing', { '3348.dat': undefined }, /"3348\.dat" is missing/],
    ['rows cut off', { '3348.dat': '1\tone\n2\ttw' }, /rows of public\.t .* cut off/],
    ['rows cut off at a line', { '3348.dat': '1\tone\n' }, /rows of public\.t .* cut off/],
    ['a list that is missing', { 'blobs.toc': undefined }, /"blobs\.toc" is missing/],
    ['a list cut off', { 'blobs.toc': LIST.slice(0, -1) }, /list blobs\.toc is cut off/],
    ['a list that leads elsewhere', { 'blobs.toc': '4711 ../../etc/passwd\n' }, /list blobs\.toc is damaged/],
    ['a large object that is missing', { 'blob_4712.dat': undefined }, /"blob_4712\.dat" is missing/],
    ['a large object too many', { 'blob_1.dat': 'x' }, /"blob_1\.dat" that its contents do not tell of/],
    [
      'lists and rows that are called each other',
      { 'toc.dat': exchanged('3348.dat', 'blobs.toc') },
      /cannot be the file of/,
    ],
    ['a table too many', { '1.dat': '\\.\n\n\n' }, /"1\.dat" that its contents do not tell of/],
    ['another file', { 'notes.txt': 'x' }, /"notes\.txt" too much/],
  ])('with %s is none', async (_, changes, message) => {
    const files = Object.entries({ ...whole(), ...changes }).filter(([, content]) => content !== undefined);
    const outcome = scan(Object.fromEntries(files) as Record<string, string>).then((scanner) => scanner.end());
    await expect(outcome).rejects.toThrow(message);
  });

  it('has files of names that lead nowhere else', () => {
    const item = (path: string) => placeOf(Buffer.from(path))?.item;
    expect(placeOf(Buffer.from('postgresql/a%2Fb/dump/12.dat'))).toEqual({
      database: 'a/b',
      item: 'part',
      file: '12.dat',
    });
    for (const name of ['toc.dat', 'blob_1.dat', 'blobs.toc', 'blobs_12.toc'])
      expect(item(`/postgresql/x/dump/${name}`)).toBe('part');
    for (const name of ['..', '', 'a.dat', '1.dat.gz', 'toc.dat/x', 'blob_1.dat\n', '1.dat\0'])
      expect(item(`/postgresql/x/dump/${name}`)).toBeUndefined();
  });
});
