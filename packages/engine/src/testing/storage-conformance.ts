/**
 * The promises of `ports/storage.ts`, sentence by sentence, as one suite that every storage must pass.
 * Only tests import this file.
 */
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ErrorCode } from '@backupx/contracts/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../ports/clock.ts';
import type { Storage } from '../ports/storage.ts';
import { createProbeBytes, storageChecks } from '../ports/storage-checks.ts';

/** One storage under test, empty at the start; `cleanup` frees all that `createStorage` made. */
export interface StorageUnderTest {
  readonly storage: Storage;
  cleanup(): Promise<void>;
}

/** What differs between places. */
export interface ConformanceOptions {
  /** Objects the paging test writes; default 1,050 (more than one page of S3). */
  readonly manyObjects?: number;
  /** True for a storage whose place is the memory of this process. */
  readonly isInMemory?: boolean;
}

const MIB = 1024 * 1024;
/** What an adapter may hold in memory for one stream, in bytes, with room for what waits for the collector. */
const BUFFER_LIMIT_BYTES = 32 * MIB;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes held in buffers once everything unreachable is gone. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

const probeBytes = createProbeBytes();
const live = () => new AbortController().signal;
const text = (value: string) => new TextEncoder().encode(value);

async function* bodyOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Bytes that depend on position and seed, so that swapped or repeated parts show. */
function fill(target: Uint8Array, seed: number): void {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);
  let state = (seed + 1) * 2654435761;
  for (let i = 0; i < words.length; i++) {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    words[i] = state;
  }
}

/** Yields `mib` MiB while it re-uses one buffer, as a caller may once it is asked for the next chunk. */
async function* reusedBuffer(mib: number, seed: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(MIB);
  for (let i = 0; i < mib; i++) {
    fill(buffer, seed + i);
    yield buffer;
  }
}

async function digest(body: AsyncIterable<Uint8Array>): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function read(storage: Storage, key: string, range?: { start: number; end?: number }): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get(key, { signal: live(), range })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function keys(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const object of storage.list(prefix, live())) found.push(object.key);
  return found.sort();
}

const write = (storage: Storage, key: string, value: string) =>
  storage.put(key, bodyOf(text(value)), { signal: live() });

const failsWith = (promise: Promise<unknown>, code: ErrorCode) => expect(promise).rejects.toMatchObject({ code });

/** Declares the suite `name`; `createStorage` is called once. */
export function storageConformance(
  name: string,
  createStorage: () => Promise<StorageUnderTest>,
  options: ConformanceOptions = {},
): void {
  describe(`${name} keeps the promises of a storage`, () => {
    let subject: StorageUnderTest;
    let storage: Storage;
    beforeAll(async () => {
      subject = await createStorage();
      storage = subject.storage;
    });
    afterAll(() => subject?.cleanup());

    for (const check of storageChecks) {
      it(`passes the check "${check.name}" of the Test button`, () =>
        check.run(storage, { prefix: 'check', bytes: probeBytes, signal: live() }));
    }
    declareReading(() => storage);
    declareWriting(() => storage);
    declareConditions(() => storage);
    declareFailures(() => storage);
    declareListing(() => storage, options.manyObjects ?? 1050);
    declareKeys(() => storage);
    declareMemory(() => storage, options.isInMemory ?? false);

    it('can be closed twice', async () => {
      await storage.close?.();
      await storage.close?.();
    });
  });
}

function declareConditions(storage: () => Storage): void {
  it('writes an object only where there is none, and lets exactly one of many do so', async ({ skip }) => {
    const subject = storage();
    if (!subject.putIfAbsent) return skip();
    const claim = async (key: string, value: string) => await subject.putIfAbsent?.(key, text(value), live());
    const first = await claim('absent/one', 'first');
    if (first === null) return expect(await keys(subject, 'absent/')).toEqual([]);
    expect(first).toBe(true);
    expect(await claim('absent/one', 'second')).toBe(false);
    expect(await read(subject, 'absent/one')).toBe('first');
    const values = ['a', 'b', 'c', 'd', 'e'];
    const won = await Promise.all(values.map((value) => claim('absent/two', value)));
    expect(won.filter(Boolean).length).toBe(1);
    expect(await read(subject, 'absent/two')).toBe(values[won.indexOf(true)]);
    for (const key of ['absent/one', 'absent/two']) await subject.delete(key, live());
    expect(await claim('absent/one', 'third')).toBe(true);
    await subject.delete('absent/one', live());
    await failsWith(claim('../absent', 'x'), 'STORAGE_INVALID_KEY');
    expect(await keys(subject, 'absent/')).toEqual([]);
  });
}

function declareReading(storage: () => Storage): void {
  it('gives back what was put, whole and in ranges', async () => {
    await write(storage(), 'read/digits', '0123456789');
    expect(await read(storage(), 'read/digits')).toBe('0123456789');
    expect(await read(storage(), 'read/digits', { start: 0, end: 1 })).toBe('0');
    expect(await read(storage(), 'read/digits', { start: 3, end: 6 })).toBe('345');
    expect(await read(storage(), 'read/digits', { start: 7 })).toBe('789');
    expect(await read(storage(), 'read/digits', { start: 8, end: 100 })).toBe('89');
  });

  it('yields nothing for an empty range and for one past the end', async () => {
    await write(storage(), 'read/short', 'abc');
    expect(await read(storage(), 'read/short', { start: 3 })).toBe('');
    expect(await read(storage(), 'read/short', { start: 50, end: 60 })).toBe('');
    expect(await read(storage(), 'read/short', { start: 1, end: 1 })).toBe('');
  });

  it('reads into shared memory, where it offers that', async (context) => {
    const readInto = storage().readInto?.bind(storage());
    if (!readInto) {
      context.skip('it does not offer that');
      return;
    }
    await write(storage(), 'read/into', '0123456789');
    const target = new Uint8Array(new SharedArrayBuffer(5));
    const readAt = async (start: number) => {
      target.fill(0x2e);
      const count = await readInto('read/into', target, { signal: live(), start });
      return `${count}:${Buffer.from(target).toString()}`;
    };
    expect([await readAt(0), await readAt(3), await readAt(8), await readAt(10), await readAt(99)]).toEqual([
      '5:01234',
      '5:34567',
      '2:89...',
      '0:.....',
      '0:.....',
    ]);
    await failsWith(readInto('read/missing', target, { signal: live(), start: 0 }), 'STORAGE_NOT_FOUND');
    await failsWith(readInto('read/into', target, { signal: AbortSignal.abort(), start: 0 }), 'CANCELLED');
  });

  it('says STORAGE_NOT_FOUND for what is not there, on the first pull', async () => {
    const reading = storage().get('read/missing', { signal: live() });
    await failsWith(reading[Symbol.asyncIterator]().next(), 'STORAGE_NOT_FOUND');
    await failsWith(read(storage(), 'read/missing', { start: 5, end: 5 }), 'STORAGE_NOT_FOUND');
    await failsWith(storage().stat('read/missing', live()), 'STORAGE_NOT_FOUND');
    await failsWith(storage().stat('read', live()), 'STORAGE_NOT_FOUND');
  });

  it('tells size and time of an object', async () => {
    await write(storage(), 'read/stat', 'four');
    const found = await storage().stat('read/stat', live());
    expect(found).toMatchObject({ key: 'read/stat', sizeBytes: 4 });
    if (found.modifiedAt)
      expect(Math.abs(systemClock.now().getTime() - found.modifiedAt.getTime())).toBeLessThan(120_000);
  });

  it('ends a reading when it is cancelled or given up, and can be read again', async () => {
    await storage().put('read/large', reusedBuffer(9, 1), { signal: live() });
    const abort = new AbortController();
    await failsWith(
      (async () => {
        for await (const _ of storage().get('read/large', { signal: abort.signal })) abort.abort();
      })(),
      'CANCELLED',
    );
    for await (const _ of storage().get('read/large', { signal: live() })) break;
    expect(await digest(storage().get('read/large', { signal: live() }))).toEqual(await digest(reusedBuffer(9, 1)));
  });

  it('brings the same bytes to one who keeps chunks and to one who uses them at once', async () => {
    await storage().put('read/again', reusedBuffer(3, 4), { signal: live() });
    const expected = await digest(reusedBuffer(3, 4));
    const kept: Uint8Array[] = [];
    for await (const chunk of storage().get('read/again', { signal: live() })) kept.push(chunk);
    expect(await digest(bodyOf(...kept))).toEqual(expected);
    const atOnce = { signal: live(), isUsedAtOnce: true };
    expect(await digest(storage().get('read/again', atOnce))).toEqual(expected);
    const ranged: Buffer[] = [];
    const range = { start: MIB - 7, end: 2 * MIB + 9 };
    for await (const chunk of storage().get('read/again', { ...atOnce, range })) ranged.push(Buffer.from(chunk));
    expect(Buffer.concat(ranged)).toEqual(Buffer.concat(kept).subarray(range.start, range.end));
  });

  it('tells its usage when it can', async () => {
    const usage = await storage().usage?.(live());
    if (usage) for (const value of Object.values(usage)) expect(value === null || value >= 0).toBe(true);
  });
}

function declareWriting(storage: () => Storage): void {
  it('replaces an object', async () => {
    await write(storage(), 'write/twice', 'the first, longer text');
    await write(storage(), 'write/twice', 'second');
    expect(await read(storage(), 'write/twice')).toBe('second');
  });

  it('shows the old object until the new one is whole', async () => {
    await write(storage(), 'write/atomic', 'old');
    const seen: string[] = [];
    const body = async function* () {
      yield new Uint8Array(9 * MIB);
      seen.push(await read(storage(), 'write/atomic'));
      yield text('end');
      seen.push(await read(storage(), 'write/atomic'));
    };
    await storage().put('write/atomic', body(), { signal: live() });
    expect(seen).toEqual(['old', 'old']);
    expect((await storage().stat('write/atomic', live())).sizeBytes).toBe(9 * MIB + 3);
  });

  it('stores an empty object', async () => {
    await storage().put('write/empty', bodyOf(), { signal: live(), sizeBytes: 0 });
    await storage().put('write/empty-chunk', bodyOf(new Uint8Array(0)), { signal: live() });
    expect((await storage().stat('write/empty', live())).sizeBytes).toBe(0);
    expect(await read(storage(), 'write/empty')).toBe('');
    expect(await read(storage(), 'write/empty-chunk')).toBe('');
  });

  it('stores 20 MiB of unknown length and keeps no chunk beyond the next pull', async () => {
    await storage().put('write/twenty', reusedBuffer(20, 7), { signal: live() });
    const expected = await digest(reusedBuffer(20, 7));
    expect(await digest(storage().get('write/twenty', { signal: live() }))).toEqual(expected);
    // A range across what may be a border of parts.
    const middle = await digest(
      storage().get('write/twenty', { signal: live(), range: { start: 8 * MIB - 5, end: 8 * MIB + 5 } }),
    );
    expect(middle.sizeBytes).toBe(10);
  });

  it('stores many tiny chunks', async () => {
    const tiny = async function* () {
      for (let i = 0; i < 20_000; i++) yield text(`${i}\n`);
    };
    await storage().put('write/tiny', tiny(), { signal: live() });
    expect(await digest(storage().get('write/tiny', { signal: live() }))).toEqual(await digest(tiny()));
  });

  it('takes a known size', async () => {
    await storage().put('write/known', reusedBuffer(2, 3), { signal: live(), sizeBytes: 2 * MIB });
    expect((await storage().stat('write/known', live())).sizeBytes).toBe(2 * MIB);
  });

  it('takes two objects side by side', async () => {
    await Promise.all([
      storage().put('write/side/a', reusedBuffer(10, 20), { signal: live() }),
      storage().put('write/side/b', reusedBuffer(10, 60), { signal: live() }),
    ]);
    expect(await digest(storage().get('write/side/a', { signal: live() }))).toEqual(await digest(reusedBuffer(10, 20)));
    expect(await digest(storage().get('write/side/b', { signal: live() }))).toEqual(await digest(reusedBuffer(10, 60)));
  });

  it('deletes; a missing object is success', async () => {
    await write(storage(), 'write/gone', 'x');
    await storage().delete('write/gone', live());
    await storage().delete('write/gone', live());
    await storage().delete('no/such/folder/object', live());
    await failsWith(read(storage(), 'write/gone'), 'STORAGE_NOT_FOUND');
    await write(storage(), 'write/gone', 'again');
    expect(await read(storage(), 'write/gone')).toBe('again');
  });
}

function declareFailures(storage: () => Storage): void {
  for (const [size, mib] of [
    ['small', 1],
    ['large', 17],
  ] as const) {
    it(`leaves nothing of a ${size} body that fails, and passes its error on`, async () => {
      const failure = new Error('the source broke');
      const body = async function* () {
        yield* reusedBuffer(mib, 1);
        throw failure;
      };
      await expect(storage().put(`fail/${size}/new`, body(), { signal: live() })).rejects.toBe(failure);
      await write(storage(), `fail/${size}/old`, 'kept');
      await expect(storage().put(`fail/${size}/old`, body(), { signal: live() })).rejects.toBe(failure);
      expect(await keys(storage(), `fail/${size}/`)).toEqual([`fail/${size}/old`]);
      expect(await read(storage(), `fail/${size}/old`)).toBe('kept');
    });

    it(`leaves nothing of a ${size} put that is cancelled, even while its body hangs`, async () => {
      const abort = new AbortController();
      let isReleased = false;
      const body = async function* () {
        try {
          yield* reusedBuffer(mib, 1);
          setTimeout(() => abort.abort(), 20);
          await new Promise(() => {});
          yield text('never');
        } finally {
          isReleased = true;
        }
      };
      await failsWith(storage().put(`cancel/${size}`, body(), { signal: abort.signal }), 'CANCELLED');
      expect(isReleased).toBe(false);
      expect(await keys(storage(), `cancel/${size}`)).toEqual([]);
    });
  }

  it('tells the body to clean up when it gives up between two chunks', async () => {
    const abort = new AbortController();
    let isReleased = false;
    const body = async function* () {
      try {
        for (let i = 0; i < 40; i++) {
          if (i === 3) abort.abort();
          yield new Uint8Array(MIB);
        }
      } finally {
        isReleased = true;
      }
    };
    await failsWith(storage().put('cancel/between', body(), { signal: abort.signal }), 'CANCELLED');
    await expect.poll(() => isReleased).toBe(true);
    expect(await keys(storage(), 'cancel/between')).toEqual([]);
  });

  it('does nothing once the signal is aborted', async () => {
    await write(storage(), 'cancel/before', 'kept');
    const signal = AbortSignal.abort();
    await failsWith(storage().put('cancel/before', bodyOf(text('new')), { signal }), 'CANCELLED');
    await failsWith(storage().delete('cancel/before', signal), 'CANCELLED');
    await failsWith(storage().stat('cancel/before', signal), 'CANCELLED');
    await failsWith(storage().get('cancel/before', { signal })[Symbol.asyncIterator]().next(), 'CANCELLED');
    await failsWith(storage().list('', signal)[Symbol.asyncIterator]().next(), 'CANCELLED');
    expect(await read(storage(), 'cancel/before')).toBe('kept');
  });
}

function declareListing(storage: () => Storage, manyObjects: number): void {
  it('lists by plain string prefix, with sizes', async () => {
    for (const key of ['list/a', 'list/ab/c', 'list/ab/d', 'list/abc', 'list/b/a']) await write(storage(), key, key);
    expect(await keys(storage(), 'list/')).toEqual(['list/a', 'list/ab/c', 'list/ab/d', 'list/abc', 'list/b/a']);
    expect(await keys(storage(), 'list/ab')).toEqual(['list/ab/c', 'list/ab/d', 'list/abc']);
    expect(await keys(storage(), 'list/ab/')).toEqual(['list/ab/c', 'list/ab/d']);
    expect(await keys(storage(), 'list/abc')).toEqual(['list/abc']);
    expect(await keys(storage(), 'list/x/y/z')).toEqual([]);
    expect(await keys(storage(), 'lis')).toHaveLength(5);
    for await (const object of storage().list('list/', live())) expect(object.sizeBytes).toBe(object.key.length);
  });

  it('does not list an unfinished put', async () => {
    const seen: string[][] = [];
    const body = async function* () {
      yield new Uint8Array(9 * MIB);
      seen.push(await keys(storage(), ''));
    };
    await storage().put('unfinished/one', body(), { signal: live() });
    expect(seen[0]?.filter((key) => key.includes('unfinished') || key.includes('tmp'))).toEqual([]);
    expect(await keys(storage(), 'unfinished/')).toEqual(['unfinished/one']);
  });

  it('lists more objects than fit one page', async () => {
    const names = Array.from({ length: manyObjects }, (_, i) => `many/${String(i).padStart(5, '0')}`);
    const queue = [...names];
    const worker = async () => {
      for (let key = queue.pop(); key; key = queue.pop()) await write(storage(), key, '.');
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(await keys(storage(), 'many/')).toEqual(names);
  }, 120_000);
}

function declareKeys(storage: () => Storage): void {
  const odd = [
    'keys/with space/and  two',
    'keys/100%/%2e%2e/%zz',
    'keys/plus+and&amp;=?#',
    'keys/ünï/文件/🗄️',
    'keys/quote\'s"<>|*:;,@!$()[]{}~`^',
    'keys/.hidden/..almost/...',
    'keys/trailing. ',
    `keys/${'n'.repeat(200)}/${'m'.repeat(200)}`,
  ];
  it('takes keys with spaces, percent signs, plus, unicode and punctuation', async () => {
    for (const key of odd) await write(storage(), key, key);
    for (const key of odd) expect(await read(storage(), key)).toBe(key);
    expect(await keys(storage(), 'keys/')).toEqual([...odd].sort());
    expect(await keys(storage(), 'keys/100%/%2e')).toEqual([odd[1]]);
    for (const key of odd) expect((await storage().stat(key, live())).key).toBe(key);
    for (const key of odd) await storage().delete(key, live());
    expect(await keys(storage(), 'keys/')).toEqual([]);
  });

  const invalid = [
    '',
    '/',
    '/etc/passwd',
    '..',
    '../up',
    'a/../b',
    'a/..',
    './a',
    'a/.',
    'a//b',
    'a/',
    'a\\b',
    'a\0b',
    'a\nb',
    '\ud800',
    'é'.repeat(600),
  ];
  it.each(invalid.map((key) => [JSON.stringify(key).slice(0, 20), key]))('refuses the key %s', async (_label, key) => {
    await failsWith(write(storage(), key, 'x'), 'STORAGE_INVALID_KEY');
    await failsWith(read(storage(), key), 'STORAGE_INVALID_KEY');
    await failsWith(storage().stat(key, live()), 'STORAGE_INVALID_KEY');
    await failsWith(storage().delete(key, live()), 'STORAGE_INVALID_KEY');
  });

  it.each(['../', '/etc', 'a//', 'a/../', 'a\\', 'a\0'])('refuses the prefix %j', async (prefix) => {
    await failsWith(keys(storage(), prefix), 'STORAGE_INVALID_KEY');
  });
}

function declareMemory(storage: () => Storage, isInMemory: boolean): void {
  it('does not run ahead of a slow reader', async () => {
    await storage().put('memory/read', reusedBuffer(64, 5), { signal: live() });
    const before = heldBytes();
    let most = 0;
    let total = 0;
    for await (const chunk of storage().get('memory/read', { signal: live() })) {
      if (Math.floor(total / (8 * MIB)) !== Math.floor((total + chunk.byteLength) / (8 * MIB))) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        most = Math.max(most, heldBytes() - before);
      }
      total += chunk.byteLength;
    }
    expect(total).toBe(64 * MIB);
    expect(most).toBeLessThan(BUFFER_LIMIT_BYTES);
  });

  if (isInMemory) return;
  it('does not hoard the body it writes', async () => {
    const before = heldBytes();
    let most = 0;
    const body = async function* () {
      for (let i = 0; i < 6; i++) {
        yield* reusedBuffer(16, i);
        most = Math.max(most, heldBytes() - before);
      }
    };
    await storage().put('memory/written', body(), { signal: live() });
    expect(most).toBeLessThan(BUFFER_LIMIT_BYTES);
    expect((await storage().stat('memory/written', live())).sizeBytes).toBe(96 * MIB);
  });
}
