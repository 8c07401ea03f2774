import { describe, expect, it } from 'vitest';
import type { RestoreEntry } from '../ports/source.ts';
import { asciiPaxRecord, encodePaxRecord } from './pax-records.ts';
import { collect, inChunks, neverAborted, noise, sampleEntry } from './sample-entries.ts';
import { readTar } from './tar-reader.ts';
import { writeTar } from './tar-writer.ts';

const signal = neverAborted;
const END = Buffer.alloc(1024);

/** A header made by hand; `raw` overwrites bytes before the checksum is set. */
function header(
  typeFlag: string,
  size: number | bigint,
  raw: Record<number, Buffer | string> = {},
  name = 'x',
): Buffer {
  const record = Buffer.alloc(512);
  record.write(name, 0, 'latin1');
  record.write('0000644\0', 100);
  record.write('0000000\0', 108);
  record.write('0000000\0', 116);
  record.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  record.write('00000000000\0', 136);
  record.write(typeFlag, 156, 'latin1');
  record.write('ustar\x0000', 257, 'latin1');
  for (const [at, value] of Object.entries(raw)) Buffer.from(value as string, 'latin1').copy(record, Number(at));
  record.write('        ', 148);
  const sum = record.reduce((total, byte) => total + byte, 0);
  record.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return record;
}

function member(typeFlag: string, data: Buffer, raw = {}, name = 'x'): Buffer {
  return Buffer.concat([
    header(typeFlag, data.byteLength, raw, name),
    data,
    Buffer.alloc((512 - (data.byteLength % 512)) % 512),
  ]);
}

async function read(archive: Uint8Array): Promise<RestoreEntry[]> {
  const entries: RestoreEntry[] = [];
  for await (const entry of readTar(inChunks(archive, 700), { signal })) {
    if (entry.content) await collect(entry.content);
    entries.push(entry);
  }
  return entries;
}

const damaged = (archive: Uint8Array) => expect(read(archive)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });

async function sample(): Promise<Buffer> {
  const entries = [
    sampleEntry('/d', 'directory'),
    sampleEntry('/d/a', 'file', { data: noise(3000) }),
    sampleEntry(`/d/${'ü'.repeat(80)}`, 'file', { data: noise(10) }),
  ];
  return collect(writeTar(entries, { signal, onProblem() {} }));
}

describe('a whole archive', () => {
  it('is read past its end, so that a checksum sees every byte', async () => {
    let seen = 0;
    const archive = Buffer.concat([await sample(), Buffer.alloc(100_000)]);
    async function* counted() {
      for await (const chunk of inChunks(archive, 4096)) {
        seen += chunk.byteLength;
        yield chunk;
      }
    }
    const names: string[] = [];
    // Contents are not read here: they are skipped.
    for await (const entry of readTar(counted(), { signal })) names.push(Buffer.from(entry.path).toString());
    expect(names).toEqual(['d', 'd/a', `d/${'ü'.repeat(80)}`]);
    expect(seen).toBe(archive.byteLength);
  });

  it('goes on behind content that was read in part', async () => {
    const sizes: number[] = [];
    for await (const entry of readTar(inChunks(await sample(), 512), { signal })) {
      for await (const _ of entry.content ?? []) break;
      sizes.push(entry.sizeBytes);
    }
    expect(sizes).toEqual([0, 3000, 10]);
  });

  it('hands out at once what lies in one chunk, and what is left of it', async () => {
    const taken: (number | undefined)[] = [];
    for await (const { content } of readTar(inChunks(await sample(), 100_000), { signal })) {
      if (content) taken.push(content.takeNow?.()?.byteLength, content.takeNow?.()?.byteLength);
    }
    expect(taken).toEqual([3000, 0, 10, 0]);
  });

  it('hands out nothing at once of what does not, and all of it afterwards', async () => {
    const sizes: (number | null | undefined)[] = [];
    for await (const { content } of readTar(inChunks(await sample(), 512), { signal })) {
      if (content) sizes.push(content.takeNow?.()?.byteLength ?? null, (await collect(content)).byteLength);
    }
    expect(sizes).toEqual([null, 3000, null, 10]);
  });

  it('gives entries the names that are wanted', async () => {
    const nameOf = (name: Uint8Array) => Buffer.concat([Buffer.from('/'), name]);
    const link = member('1', Buffer.alloc(0), { 157: 'd/a' }, 'd/b');
    const archive = Buffer.concat([member('0', Buffer.from('hi'), {}, 'd/a'), link, END]);
    const names: string[] = [];
    for await (const { path, linkTarget } of readTar(inChunks(archive, 700), { signal, nameOf })) {
      names.push(Buffer.from(path).toString(), Buffer.from(linkTarget ?? []).toString());
    }
    expect(names).toEqual(['/d/a', '', '/d/b', '/d/a']);
  });

  it('closes its body when the reader goes away, and stops when cancelled', async () => {
    let closed = false;
    async function* body() {
      try {
        yield* inChunks(await sample(), 512);
      } finally {
        closed = true;
      }
    }
    for await (const _ of readTar(body(), { signal })) break;
    expect(closed).toBe(true);
    const controller = new AbortController();
    const run = async () => {
      for await (const _ of readTar(inChunks(await sample(), 512), { signal: controller.signal })) controller.abort();
    };
    await expect(run()).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a damaged archive is refused', () => {
  it('cut anywhere', async () => {
    const archive = await sample();
    for (let length = 0; length < archive.byteLength; length += 128) await damaged(archive.subarray(0, length));
  });

  it('with any flipped bit in a header', async () => {
    const archive = await sample();
    for (const position of [0, 100, 124, 148, 156, 257, 345, 500]) {
      const copy = Buffer.from(archive);
      copy.writeUInt8(copy.readUInt8(position) ^ 1, position);
      await damaged(copy);
    }
  });

  it('with garbage instead of an end mark', async () => {
    const archive = member('0', Buffer.from('hi'));
    await damaged(Buffer.concat([archive, Buffer.alloc(512), noise(512)]));
    await damaged(Buffer.concat([archive, Buffer.alloc(512)]));
  });
});

describe('hostile headers are refused with little memory', () => {
  const file = member('0', Buffer.from('hi'));
  it('sizes that no file has', async () => {
    const base256 = (first: number, rest: number) => Buffer.from([first, ...Array<number>(11).fill(rest)]);
    await damaged(Buffer.concat([header('0', 0, { 124: base256(0xff, 0xff) }), END]));
    await damaged(Buffer.concat([header('0', 0, { 124: base256(0x80, 0xff) }), END]));
    await damaged(Buffer.concat([header('0', 0, { 124: '-0000000001\0' }), END]));
    await damaged(Buffer.concat([header('0', 0, { 124: '99999999999\0' }), END]));
    await damaged(Buffer.concat([header('0', 0o77777777777), END]));
    for (const size of ['-5', '1e9', '99999999999999999999', '0x10', ' 7']) {
      await damaged(Buffer.concat([member('x', asciiPaxRecord('size', size)), file, END]));
    }
  });

  it('extended headers and names without end', async () => {
    for (const flag of ['x', 'g', 'L', 'K']) await damaged(Buffer.concat([header(flag, 0o77777777777), END]));
    const chain = Buffer.concat(Array<Buffer>(1000).fill(member('L', Buffer.from('name\0'))));
    await damaged(Buffer.concat([chain, file, END]));
    const globals = Buffer.concat(
      Array<Buffer>(60).fill(member('g', encodePaxRecord('comment', Buffer.alloc(2000, 97)))),
    );
    await damaged(Buffer.concat([globals, file, END]));
    await damaged(Buffer.concat([member('x', asciiPaxRecord('path', 'y')), END]));
  });

  it('pax records that are none', async () => {
    for (const text of [
      '5 a=b\n',
      '99 path=x\n',
      'path=x\n',
      '0 a=b\n',
      '-6 a=b\n',
      '6 a=bc',
      '6 abcd\n',
      '999999999999 a=b\n',
    ]) {
      await damaged(Buffer.concat([member('x', Buffer.from(text)), file, END]));
    }
    await damaged(Buffer.concat([member('x', encodePaxRecord('path', Buffer.from('a\0b'))), file, END]));
    await damaged(Buffer.concat([member('x', asciiPaxRecord('mtime', 'soon')), file, END]));
    await damaged(Buffer.concat([header('0', 0, {}, ''), END]));
  });

  it('maps of sparse files that do not fit', async () => {
    const sparse = (map: string, size = '1000') =>
      Buffer.concat([
        member(
          'x',
          Buffer.concat([
            asciiPaxRecord('GNU.sparse.major', '1'),
            asciiPaxRecord('GNU.sparse.minor', '0'),
            asciiPaxRecord('GNU.sparse.realsize', size),
          ]),
        ),
        member('0', Buffer.concat([Buffer.from(map.padEnd(512, '\0'), 'latin1'), noise(512)])),
        END,
      ]);
    expect((await read(sparse('1\n0\n512\n')))[0]?.segments).toEqual([{ offset: 0, length: 512 }]);
    for (const map of [
      '1\n0\n5000\n',
      '1\n900\n512\n',
      '2\n512\n10\n0\n10\n',
      '9999999\n',
      '1\n-1\n5\n',
      '\n',
      '1\n0\n12345678901234567890\n',
      '2\n0\n512\n',
    ]) {
      await damaged(sparse(map));
    }
    await damaged(sparse('1\n0\n512\n', '9'.repeat(30)));
    const old = { 386: '00000000000\0', 398: '00000010000\0', 483: '00000001000\0' };
    await damaged(Buffer.concat([header('S', 512, old), noise(512), END]));
  });
});

describe('formats of others', () => {
  it('prefix, base-256 numbers, folders by name, signed checksums, unknown types', async () => {
    const [first] = await read(Buffer.concat([header('0', 0, { 345: 'some/prefix' }, 'name'), END]));
    expect(Buffer.from(first?.path ?? []).toString()).toBe('some/prefix/name');
    const big = Buffer.alloc(8);
    big.writeUInt32BE(4_000_000_000, 4);
    big.writeUInt8(0x80, 0);
    const [second] = await read(Buffer.concat([header('0', 0, { 108: big, 136: Buffer.alloc(12, 0xff) }), END]));
    expect(second).toMatchObject({ uid: 4_000_000_000, modifiedAtNs: -1_000_000_000n });
    const [third] = await read(Buffer.concat([header('\0', 0, { 257: Buffer.alloc(8) }, 'old/'), END]));
    expect(third).toMatchObject({ type: 'directory', path: Uint8Array.from(Buffer.from('old')) });
    const [fourth] = await read(Buffer.concat([member('7', Buffer.from('abc')), END]));
    expect(fourth).toMatchObject({ type: 'file', sizeBytes: 3 });
    const [fifth] = await read(Buffer.concat([member('Z', Buffer.from('abc')), END]));
    expect(fifth).toMatchObject({ type: 'file', sizeBytes: 3 });
  });

  it('global records, until a member says otherwise', async () => {
    const archive = Buffer.concat([
      member('g', asciiPaxRecord('uname', 'everybody')),
      member('0', Buffer.from('1')),
      member('x', asciiPaxRecord('uname', 'me')),
      member('0', Buffer.from('2')),
      member('0', Buffer.from('3')),
      END,
    ]);
    expect((await read(archive)).map((entry) => entry.userName)).toEqual(['everybody', 'me', 'everybody']);
  });

  it('hands out hostile paths as they are', async () => {
    for (const name of ['../../etc/passwd', '/etc/passwd', 'a/../../b']) {
      const [entry] = await read(Buffer.concat([member('0', Buffer.from('1'), {}, name), END]));
      expect(Buffer.from(entry?.path ?? []).toString()).toBe(name);
    }
  });
});
