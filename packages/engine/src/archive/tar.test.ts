import { spawnSync } from 'node:child_process';
import type { ItemProblem } from '@backupx/contracts/jobs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryType, RestoreEntry, SourceEntry } from '../ports/source.ts';
import {
  collect,
  inChunks,
  inUsedMemory,
  neverAborted,
  noise,
  type SampleFields,
  sampleContent,
  sampleEntry,
} from './sample-entries.ts';
import { readTar } from './tar-reader.ts';
import { writeTar } from './tar-writer.ts';

const signal = neverAborted;
const BLOCK = 4096;

interface ReadBack extends Omit<RestoreEntry, 'content'> {
  readonly data: Buffer | null;
}

/** Content with its holes filled in. */
async function wholeContent(entry: RestoreEntry): Promise<Buffer | null> {
  if (!entry.content) return null;
  const data = await collect(entry.content);
  if (!entry.segments) return data;
  const whole = Buffer.alloc(entry.sizeBytes);
  let from = 0;
  for (const { offset, length } of entry.segments) {
    data.copy(whole, offset, from, from + length);
    from += length;
  }
  return whole;
}

async function write(entries: Iterable<SourceEntry> | AsyncIterable<SourceEntry>, blockSize = BLOCK) {
  const problems: ItemProblem[] = [];
  const stored: [string, number][] = [];
  const blocks: number[] = [];
  const archive = await collect(
    (async function* () {
      const options = {
        signal,
        blockSize,
        onProblem: (problem: ItemProblem) => problems.push(problem),
        onEntry: (entry: SourceEntry, size: number) => stored.push([Buffer.from(entry.path).toString(), size]),
      };
      for await (const block of writeTar(entries, options)) {
        blocks.push(block.byteLength);
        yield block;
      }
    })(),
  );
  return { archive, problems, stored, blocks };
}

async function readBack(archive: Uint8Array, chunkSize = 1000): Promise<ReadBack[]> {
  const entries: ReadBack[] = [];
  for await (const { content, ...entry } of readTar(inChunks(archive, chunkSize), { signal })) {
    entries.push({ ...entry, data: await wholeContent({ content, ...entry }) });
  }
  return entries;
}

async function one(entry: SourceEntry): Promise<ReadBack> {
  const entries = await readBack((await write([entry])).archive);
  expect(entries).toHaveLength(1);
  return entries[0] as ReadBack;
}

const failingRead = (good: number) => ({
  ...sampleContent(new Uint8Array(10_000)),
  read(target: Uint8Array, offset: number, length: number, position: number) {
    if (position >= good) throw new Error('EIO: i/o error, read');
    const count = Math.min(length, good - position);
    target.fill(7, offset, offset + count);
    return count;
  },
});

describe('what is written is read back', () => {
  it('for every type of entry', async () => {
    const types: [EntryType, SampleFields][] = [
      ['directory', {}],
      ['file', { data: 'hello' }],
      ['symlink', { linkTarget: '../some/where' }],
      ['hardlink', { linkTarget: '/srv/first' }],
      ['fifo', {}],
      ['char_device', { deviceMajor: 1, deviceMinor: 3 }],
      ['block_device', { deviceMajor: 8, deviceMinor: 3_000_000 }],
    ];
    for (const [type, fields] of types) {
      const entry = await one(sampleEntry('/srv/item', type, fields));
      const link = type === 'hardlink' ? 'srv/first' : (fields.linkTarget ?? null);
      expect(entry).toMatchObject({
        type,
        deviceMinor: fields.deviceMinor ?? 0,
        userName: 'alice',
        groupName: 'staff',
      });
      expect(Buffer.from(entry.path).toString()).toBe('srv/item');
      expect(entry.linkTarget && Buffer.from(entry.linkTarget).toString()).toBe(link);
      expect(entry.data?.toString()).toBe(type === 'file' ? 'hello' : undefined);
    }
  });

  it('for odd times, owners and names', async () => {
    const longName = `/${'d'.repeat(90)}/${'ü'.repeat(200)}`;
    for (const ns of [0n, -1n, -1_500_000_000n, 1n, 8_589_934_592_000_000_000n, 1_700_000_000_000_000_001n]) {
      expect((await one(sampleEntry('/f', 'file', { modifiedAtNs: ns }))).modifiedAtNs).toBe(ns);
    }
    const owners = { uid: 4_000_000_000, gid: 2_097_152, userName: 'jürgen', groupName: 'g'.repeat(40) };
    expect(await one(sampleEntry(longName, 'directory', owners))).toMatchObject({
      ...owners,
      path: Uint8Array.from(Buffer.from(longName.slice(1))),
    });
    expect(Buffer.from((await one(sampleEntry('/', 'directory'))).path).toString()).toBe('.');
  });

  it('for anything a file system may hold', async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 120 })
      .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))
      .filter((bytes) => !['.', '..'].includes(Buffer.from(bytes).toString('latin1')));
    const path = fc.array(name, { minLength: 1, maxLength: 4 });
    const file = fc.record({
      path,
      size: fc.oneof(fc.constantFrom(0, 1, 511, 512, 513, BLOCK, BLOCK * 2), fc.nat(20_000)),
      modifiedAtNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n }),
      mode: fc.nat(0o7777),
      uid: fc.nat(2 ** 32 - 1),
      xattrs: fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.uint8Array({ maxLength: 600 }))),
      holes: fc.option(fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 5000 })), { maxLength: 5 })),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 6 }),
        fc.integer({ min: 1, max: 5000 }),
        async (files, chunkSize) => {
          const expected = files.map((sample, index) => {
            const bytes = Buffer.concat(sample.path.flatMap((part) => [Buffer.from('/'), part]));
            const { data, segments } = sparseSample(sample.size, sample.holes, index + 1);
            const names = sample.xattrs.map(([key, value]) => [`user.${key.replaceAll('\0', '')}`, value] as const);
            const xattrs = names.length > 0 ? new Map(names) : null;
            const { modifiedAtNs, mode, uid } = sample;
            return { bytes, data, modifiedAtNs, mode, uid, xattrs, segments };
          });
          const { archive, problems } = await write(
            expected.map(({ bytes, data, segments, ...rest }) =>
              sampleEntry(bytes, 'file', { ...rest, data, ...(segments ? { segments } : {}) }),
            ),
          );
          expect(problems).toEqual([]);
          const entries = await readBack(archive, chunkSize);
          expect(entries).toHaveLength(expected.length);
          for (const [index, entry] of entries.entries()) {
            const wanted = expected[index] as (typeof expected)[number];
            expect(Buffer.from(entry.path)).toEqual(wanted.bytes.subarray(1));
            expect(entry.data?.equals(wanted.data)).toBe(true);
            expect(entry.sizeBytes).toBe(wanted.data.byteLength);
            expect(entry).toMatchObject({ modifiedAtNs: wanted.modifiedAtNs, mode: wanted.mode, uid: wanted.uid });
            expect(plainXattrs(entry.xattrs)).toEqual(plainXattrs(wanted.xattrs));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

function plainXattrs(xattrs: ReadonlyMap<string, Uint8Array> | null) {
  return xattrs && [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('hex')]);
}

/** Data with zeros where the holes are, and the stretches between. */
function sparseSample(size: number, holes: [number, number][] | null, seed: number) {
  if (!holes) return { data: noise(size, seed), segments: null };
  const segments: { offset: number; length: number }[] = [];
  let position = 0;
  for (const [hole, length] of holes) {
    segments.push({ offset: position + hole, length });
    position += hole + length;
  }
  const data = Buffer.alloc(position + (seed % 2) * 3000);
  for (const { offset, length } of segments) noise(length, seed).copy(data, offset);
  return { data, segments };
}

describe('writeTar', () => {
  it('yields full blocks and gives recycled memory its size', async () => {
    const { blocks } = await write([sampleEntry('/a', 'file', { data: noise(30_000) })]);
    expect(blocks.slice(0, -1).every((size) => size === BLOCK)).toBe(true);
    expect(blocks.at(-1)).toBeLessThanOrEqual(BLOCK);
    expect(blocks.reduce((sum, size) => sum + size)).toBe(512 + 30_208 + 1024);
  });

  it('fills a file that shrank with zeros and says so', async () => {
    const content = { ...sampleContent(noise(100)), sizeBytes: 9000 };
    const { archive, problems } = await write([
      { ...sampleEntry('/shrunk', 'file'), content },
      sampleEntry('/next', 'file', { data: 'next' }),
    ]);
    expect(problems).toMatchObject([{ path: '/shrunk', code: 'changed' }]);
    const [first, second] = await readBack(archive);
    expect(first?.data).toEqual(Buffer.concat([noise(100), Buffer.alloc(8900)]));
    expect(second?.data?.toString()).toBe('next');
    expect(content.closed).toBe(1);
  });

  it('fills a file that fails midway, and leaves one out that fails at once', async () => {
    const { archive, problems, stored } = await write([
      { ...sampleEntry('/midway', 'file'), content: failingRead(5000) },
      { ...sampleEntry('/at-once', 'file'), content: failingRead(0) },
      sampleEntry('/next', 'file', { data: 'next' }),
    ]);
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ['/midway', 'unreadable'],
      ['/at-once', 'unreadable'],
    ]);
    const entries = await readBack(archive);
    expect(entries.map((entry) => Buffer.from(entry.path).toString())).toEqual(['midway', 'next']);
    expect(entries[0]?.data?.equals(Buffer.concat([Buffer.alloc(5000, 7), Buffer.alloc(5000)]))).toBe(true);
    expect(stored).toEqual([
      ['/midway', 10_000],
      ['/next', 4],
    ]);
  });

  it('takes streams of known and of unknown size', async () => {
    const stream = (sizeBytes: number | null, length: number) => ({
      ...sampleEntry(`/s${sizeBytes}-${length}`, 'file'),
      content: { kind: 'stream' as const, sizeBytes, stream: inUsedMemory(noise(length), 777) },
    });
    async function* entries() {
      yield* [stream(5000, 5000), stream(null, 6000), stream(5000, 4000), stream(5000, 7000)];
    }
    const { archive, problems } = await write(entries());
    const read = await readBack(archive);
    expect(read.map((entry) => entry.sizeBytes)).toEqual([5000, 6000, 5000, 5000]);
    expect(read[1]?.data?.equals(noise(6000))).toBe(true);
    expect(read[3]?.data?.equals(noise(7000).subarray(0, 5000))).toBe(true);
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ['/s5000-4000', 'changed'],
      ['/s5000-7000', 'changed'],
    ]);
  });

  it('writes a long stream of unknown size in parts that our reader joins and stock tar prints', async () => {
    const data = noise(9 * 1024 * 1024 + 5);
    const stream = { kind: 'stream' as const, sizeBytes: null, stream: inUsedMemory(data, 70_000) };
    const after = sampleEntry('/after', 'file', { data: 'next' });
    const { archive, stored, problems } = await write([
      { ...sampleEntry('/db/dump.sql', 'file'), content: stream },
      after,
    ]);
    expect(problems).toEqual([]);
    expect(stored).toEqual([
      ['/db/dump.sql', data.byteLength],
      ['/after', 4],
    ]);
    const [dump, next] = await readBack(archive);
    expect(dump).toMatchObject({ sizeBytes: 0, isStream: true });
    expect(Buffer.from(dump?.path ?? []).toString()).toBe('db/dump.sql');
    expect(dump?.data?.equals(data)).toBe(true);
    expect(next?.data?.toString()).toBe('next');
    const tar = spawnSync('tar', ['-xOf', '-', 'db/dump.sql.parts'], { input: archive, maxBuffer: 1e8 });
    expect([tar.status, tar.stderr.toString()]).toEqual([0, '']);
    expect(tar.stdout.equals(data)).toBe(true);
    const names: string[] = [];
    for await (const entry of readTar(inChunks(archive, 5000), { signal }))
      names.push(Buffer.from(entry.path).toString());
    expect(names).toEqual(['db/dump.sql', 'after']);
    const secondHeader = archive.indexOf('db/dump.sql.parts/000002');
    const thirdHeader = archive.indexOf('db/dump.sql.parts/000003');
    const withoutSecond = Buffer.concat([
      archive.subarray(0, secondHeader - 1024),
      archive.subarray(thirdHeader - 1024),
    ]);
    await expect(readBack(withoutSecond)).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  });

  it('fails when a stream fails: half a dump is none', async () => {
    async function* failing() {
      yield noise(100);
      throw new Error('the server went away');
    }
    const content = { kind: 'stream' as const, sizeBytes: null, stream: failing() };
    await expect(write([{ ...sampleEntry('/dump', 'file'), content }])).rejects.toThrow('the server went away');
  });

  it('closes the file it was reading when the reader goes away or the work is cancelled', async () => {
    const entry = sampleEntry('/big', 'file', { data: noise(50_000) });
    const content = entry.content as ReturnType<typeof sampleContent>;
    for await (const _ of writeTar([entry], { signal, blockSize: BLOCK, onProblem() {} })) break;
    expect(content.closed).toBe(1);
    const controller = new AbortController();
    const cancelled = async () => {
      const options = { signal: controller.signal, blockSize: BLOCK, onProblem() {} };
      for await (const _ of writeTar([entry], options)) controller.abort();
    };
    await expect(cancelled()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(content.closed).toBe(2);
  });

  it('keeps the map of a badly fragmented file small', async () => {
    const segments = Array.from({ length: 120_000 }, (_, index) => ({ offset: index * 8192, length: 512 }));
    const zeros = { kind: 'sync' as const, sizeBytes: 120_000 * 8192, segments, closed: 0, close() {} };
    const content = {
      ...zeros,
      read: (target: Uint8Array, at: number, length: number) => target.fill(0, at, at + length) && length,
    };
    let bytes = 0;
    const entry = { ...sampleEntry('/db', 'file'), content };
    for await (const block of writeTar([entry], { signal, onProblem() {} })) bytes += block.byteLength;
    expect(bytes).toBeLessThan(120_000 * 8192 + 2_000_000);
  });
});
